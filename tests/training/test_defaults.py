"""What is left out suits small and large data."""

from typing import get_args

import pytest
from pydantic import ValidationError

from compress.training.defaults import DEFAULTS, Strategy, plan
from compress.training.options import Training

ROWS = (100, 210, 350, 700, 1500, 3000, 7000, 15_000, 27_000, 40_000)


@pytest.mark.parametrize("strategy", get_args(Strategy))
@pytest.mark.parametrize("rows", ROWS)
def test_small_data_gets_enough_steps_and_large_data_not_too_many(strategy: Strategy, rows: int) -> None:
    chosen, default = plan(Training(), strategy=strategy, rows=rows), DEFAULTS[strategy]
    enough = default.steps_needed if rows >= 500 else 0.4 * default.steps_needed
    assert chosen.steps >= min(enough, default.most_epochs * rows / chosen.batch_size)
    assert chosen.epochs >= default.least_epochs
    assert chosen.epochs <= default.most_epochs
    assert chosen.steps / chosen.evaluate_every >= 2
    assert 0 < chosen.warmup_steps < chosen.steps


def test_every_strategy_has_a_row_in_the_table() -> None:
    assert set(DEFAULTS) == set(get_args(Strategy))


def test_what_the_user_says_wins_also_when_it_is_zero() -> None:
    said = Training(
        epochs=2, learning_rate=1e-4, batch_size=8, warmup=0, weight_decay=0, gradient_clipping=0, early_stopping=0
    )
    chosen = plan(said, strategy="full", rows=100)
    assert (chosen.steps, chosen.batch_size, chosen.learning_rate) == (26, 8, 1e-4)
    assert (chosen.warmup_steps, chosen.weight_decay, chosen.gradient_clipping, chosen.patience) == (0, 0, 0, 0)


def test_warmup_is_a_share_below_one_and_steps_from_one() -> None:
    assert plan(Training(steps=200, warmup=0.1), strategy="full", rows=1000).warmup_steps == 20
    assert plan(Training(steps=200, warmup=50), strategy="full", rows=1000).warmup_steps == 50
    assert plan(Training(steps=200, warmup=500), strategy="full", rows=1000).warmup_steps == 200


def test_steps_say_how_many_passes_that_is() -> None:
    assert plan(Training(steps=125), strategy="full", rows=1000).epochs == pytest.approx(125 / 63)


def test_a_part_of_an_epoch_is_possible() -> None:
    assert plan(Training(epochs=0.5), strategy="full", rows=1600).steps == 50


def test_long_epochs_are_validated_several_times_and_short_ones_together() -> None:
    assert plan(Training(batch_size=16), strategy="full", rows=16 * 1200).evaluate_every == 400
    assert plan(Training(batch_size=16), strategy="full", rows=16 * 10).evaluate_every == 30


def test_epochs_and_steps_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="either `epochs` or `steps`, not both"):
        Training(epochs=1, steps=10)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"learning_rate": 0}, {"batch_size": 0}, {"label_smoothing": 1.0}, {"precision": "int8"},
              {"class_weights": {"a": 0}}, {"warm_up": 0.1}],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Training.model_validate(wrong)
