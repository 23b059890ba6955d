"""Which trial a rule chooses, and what is said when none fits."""

import pytest

from compress.pipeline.figure_rules import parse_choosing
from compress.pipeline.yaml.file import read_pipeline
from compress.search.picking import NoTrialFitsError, choose, choosing_of, said
from compress.search.schema import FieldEntry, ObjectiveEntry, SearchReport, TrialEntry
from compress.search.summary import front

OBJECTIVES = [
    ObjectiveEntry(name="accuracy", direction="maximize"),
    ObjectiveEntry(name="size_mb", direction="minimize"),
]


def trial(number: int, accuracy: float, size_mb: float, **more) -> TrialEntry:
    figures = {"accuracy": accuracy, "size_mb": size_mb, "accuracy_drop": round(0.95 - accuracy, 6)}
    values = {"number": number, "state": "complete", "fields": {"a.b": number}, "feasible": True, "figures": figures}
    return TrialEntry(**{**values, "values": [accuracy, size_mb], **more})


def report(*trials: TrialEntry) -> SearchReport:
    fields = [FieldEntry(name="a.b", low=0, high=9)]
    return SearchReport(
        pipeline="p",
        seed=1,
        storage="study.db",
        wanted=9,
        seconds=1,
        fields=fields,
        objectives=OBJECTIVES,
        trials=trials,
    )


TRIALS = (
    trial(0, 0.90, 5.0),
    trial(1, 0.94, 8.0),
    trial(2, 0.945, 9.0),
    trial(3, 0.94, 7.0),
    trial(4, 0.96, 99.0, feasible=False),
)


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("accuracy_drop <= 0.01, min size_mb", 3),
        ("min size_mb", 0),
        ("size_mb <= 8, max accuracy", 3),
        ("size_mb <= 8", 3),
        ("accuracy >= 0.945", 2),
    ],
)
def test_a_rule_chooses_the_best_that_keeps_its_limits(rule, number):
    assert choose(report(*TRIALS), parse_choosing(rule)).number == number


def test_a_rule_is_said_with_its_goal():
    assert said(report(*TRIALS), parse_choosing("size_mb<=8")) == "size_mb <= 8, max accuracy"


def test_what_no_trial_keeps_is_said_with_what_comes_nearest():
    with pytest.raises(
        NoTrialFitsError, match=r"no trial keeps 'accuracy_drop <= 0.001': trial 2 comes nearest with 0.005"
    ):
        choose(report(*TRIALS), parse_choosing("accuracy_drop <= 0.001"))


def test_limits_that_exclude_each_other_are_said():
    with pytest.raises(NoTrialFitsError, match=r"no trial keeps all of 'accuracy >= 0\.945, size_mb <= 6'"):
        choose(report(*TRIALS), parse_choosing("accuracy >= 0.945, size_mb <= 6"))


def test_nothing_feasible_is_said():
    with pytest.raises(NoTrialFitsError, match="of 1 trials 1 are complete, and none keeps the constraints"):
        choose(report(TRIALS[4]), parse_choosing("min size_mb"))


def test_the_front_holds_what_no_other_beats_best_first():
    copy = trial(5, 0.945, 9.0, copied_from=2)
    assert front([*TRIALS, copy], OBJECTIVES) == [2, 3, 0]


def test_equals_are_both_on_the_front():
    assert front([trial(0, 0.9, 5.0), trial(1, 0.9, 5.0)], OBJECTIVES) == [0, 1]


def test_a_rule_may_name_the_last_model_by_its_stage(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "name: p\nstages:\n  - {name: news, step: load_data, source: {kind: bbc_news}}\n"
        '  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}\n'
        "  - {name: onnx, step: export_onnx, model: teacher}\n"
    )
    pipeline = read_pipeline(tmp_path / "p.yaml", environ={}).spec
    rule = choosing_of("onnx.accuracy >= 0.91, teacher.size_mb <= 9, min onnx.size_mb", pipeline)
    assert str(rule) == "accuracy >= 0.91, teacher.size_mb <= 9, min size_mb"
