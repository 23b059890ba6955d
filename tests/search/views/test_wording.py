from compress.search.schema import FieldEntry
from compress.search.views.wording import (
    best_sentence,
    progress_sentence,
    seconds_left,
    short_names,
    space_text,
    value_text,
)
from tests.search.views.sample import study, trial


def test_names_are_as_short_as_they_may_be():
    names = ["student.student.layers", "words.layers", "student.training.learning_rate", "layers"]
    assert short_names(names) == {
        "student.student.layers": "student.layers",
        "words.layers": "words.layers",
        "student.training.learning_rate": "learning_rate",
        "layers": "layers",
    }


def test_values_stand_as_yaml_has_them():
    values = [True, None, 3, 3.0, 1e-5, 0.000312345, 1.25, "dynamic_int8", [1, 128]]
    assert [value_text(value) for value in values] == [
        "true", "null", "3", "3", "1e-05", "0.000312", "1.25", "dynamic_int8", "[1, 128]",
    ]  # fmt: skip


def test_a_mapping_is_said_leaf_by_leaf():
    scheme = {"kind": "dynamic_int8", "per_token": True, "weights": {"bits": 4, "packed": False}, "kept": []}
    assert value_text(scheme) == "dynamic_int8, per_token, weights.bits 4, weights.packed false, kept []"
    assert value_text({}) == "{}"
    choices = [{"kind": "static_int8", "smooth": 0.5}, {"kind": "weight_only"}, {"kind": "dynamic_int8"}]
    said = space_text(FieldEntry(name="a.b", choices=choices))
    assert said == "static_int8, smooth 0.5; weight_only or dynamic_int8"


def test_the_space_is_said_in_words():
    assert space_text(FieldEntry(name="a.b", choices=[2, 3, 4])) == "2, 3 or 4"
    assert space_text(FieldEntry(name="a.b", low=256, high=1536, step=128)) == "256 to 1536 in steps of 128"
    assert space_text(FieldEntry(name="a.b", low=1e-5, high=1e-3, log=True)) == "1e-05 to 0.001, log scale"


def test_the_time_left_is_the_median_trial_after_the_first_times_those_left():
    took = [900.0, 10.0, 20.0, 60.0]
    trials = [trial(index, seconds=seconds) for index, seconds in enumerate(took)]
    copied = trial(4, seconds=0.1, copied_from=0, counted=False)
    report = study(0).model_copy(update={"trials": [*trials, copied], "wanted": 10})
    assert seconds_left(report) == 20.0 * 6
    assert seconds_left(study(0, wanted=10)) is None
    assert seconds_left(report.model_copy(update={"trials": trials[:1]})) is None, "it made what all share"
    running = [trial(number, state="running", values=None) for number in (5, 6)]
    assert seconds_left(report.model_copy(update={"trials": [*trials, copied, *running]})) == 20.0 * 6 / 2


def test_trials_are_counted_as_the_loop_counts_them():
    unfit = trial(1, state="failed", values=None, figures={}, feasible=False)
    disk_full = trial(2, state="failed", values=None, figures={}, feasible=False, counted=False)
    copied = trial(3, state="pruned", values=None, feasible=False, copied_from=0, counted=False)
    waiting = trial(4, state="waiting", values=None, feasible=False)
    report = study(0, wanted=9).model_copy(update={"trials": [trial(0), unfit, disk_full, copied, waiting]})
    assert progress_sentence(report).startswith(
        "2 of 9 trials and 1 the same as another, 2 failed, 1 waiting for a latency; about"
    )


def test_the_sentences_above_the_table():
    report = study(60)
    front = len(report.front)
    assert progress_sentence(report).startswith(
        f"57 of 60 trials and 1 the same as another, {front} on the front, 1 stopped early, 1 failed; about"
    )
    best = max(report.trial(number).figures["accuracy"] for number in report.front)
    smallest = min(report.trial(number).figures["size_mb"] for number in report.front)
    assert f"accuracy {best:.4f} (trial {report.front[0]})" in best_sentence(report)
    assert f"size_mb {smallest:.3f}" in best_sentence(report)
    assert best_sentence(study(0)) == ""
