from compress.distillation.phases import joined
from compress.training.report import FitReport


def report(steps, epochs, best_step, learning_rate, curve):
    return FitReport(
        steps=steps, epochs=epochs, best_step=best_step, learning_rate=learning_rate, batch_size=8, precision="fp32",
        trainable_parameters=10, majority=0.5, curve=curve,
    )  # fmt: skip


FIRST = report(10, 2.0, 10, 1e-4, [{"step": 5, "epoch": 1.0, "loss": 3.0}])
SECOND = report(4, 0.5, 3, 5e-5, [{"step": 3, "epoch": 0.4, "validation": {"accuracy": 0.9}}])


def test_one_phase_is_a_training_as_it_is():
    assert joined([FIRST]) == FIRST


def test_steps_epochs_and_curve_of_several_phases_are_counted_on():
    both = joined([FIRST, SECOND])
    assert (both.steps, both.epochs, both.best_step, both.learning_rate) == (14, 2.5, 13, 5e-5)
    assert both.curve == [
        {"step": 5, "epoch": 1.0, "loss": 3.0},
        {"step": 13, "epoch": 2.4, "validation": {"accuracy": 0.9}},
    ]
    assert both.best == {"accuracy": 0.9}
