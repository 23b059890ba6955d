import pytest

from compress.evaluation.tasks import _FIGURES, MODEL_FIGURES, RECALL, higher_is_better
from compress.reporting.compare.compared import compared
from compress.reporting.compare.figures import Column, cell, headline_columns
from compress.reporting.compare.side import chosen_stage, sides_of
from tests.reporting import sample


def side(report, stage, label=None):
    return sides_of(report, chosen_stage(report, stage), label=label or stage, where="here")[0]


def column(sides, name):
    return next(one for one in compared(sides).columns if one.name == name)


@pytest.fixture(scope="module")
def report():
    return sample.full_report()


def test_lower_and_higher_are_as_the_tasks_have_them():
    names = {name for figures in _FIGURES.values() for name in figures if name != RECALL} | MODEL_FIGURES
    for name in names:
        better = "maximize" if higher_is_better(name) else "minimize"
        assert Column(name, name, "metric").better == better, name


def test_the_headline_has_the_main_metric_calibration_size_every_shape_and_seconds(report):
    names = [one.name for one in headline_columns([side(report, "teacher"), side(report, "int8")])]
    assert names == [
        "accuracy", "ece", "brier", "size_mb", "latency_ms_1x128", "latency_ms_1x32", "latency_ms_8x64", "seconds",
    ]  # fmt: skip


def test_a_score_differs_by_what_it_differs_with_the_paired_interval_turned(report):
    teacher, int8 = side(report, "teacher"), side(report, "int8")
    found = cell(int8, teacher, column([teacher, int8], "accuracy"))
    assert found.difference == pytest.approx(0.9671 - 0.9719)
    drop = 0.9719 - 0.9671
    assert found.difference_interval == pytest.approx((-(drop + 0.0094), -(drop - 0.0097)))
    assert cell(teacher, teacher, column([teacher, int8], "accuracy")).difference is None


def test_a_latency_is_compared_in_turns_where_the_run_took_them(report):
    teacher, int8 = side(report, "teacher"), side(report, "int8")
    columns = compared([teacher, int8]).columns
    turns = {one.name: cell(int8, teacher, one) for one in columns if one.kind == "latency"}
    assert turns["latency_ms_1x32"].in_turns
    assert turns["latency_ms_1x32"].ratio == pytest.approx(4.513 / 21.64 * 0.81)
    assert not turns["latency_ms_8x64"].in_turns
    assert turns["latency_ms_8x64"].ratio == pytest.approx(4.513 / 21.64)


def test_the_time_to_make_a_model_counts_all_that_it_was_made_from(report):
    onnx = side(report, "onnx")
    assert onnx.making_seconds == pytest.approx(4.317 + 141.6 + 2.4 + 188.3 + 14.2)


def test_other_rows_are_never_subtracted(report):
    other = sample.full_report()
    news = other.stages[0].model_copy(
        update={"artifact": other.stages[0].artifact.model_copy(update={"digest": "77" * 32})}
    )
    other = other.model_copy(update={"stages": [news, *other.stages[1:]]})
    here, there = side(report, "int8"), side(other, "int8", "other")
    found = cell(there, here, column([here, there], "accuracy"))
    assert (found.value, found.difference) == (0.9671, None)
    assert cell(there, here, column([here, there], "size_mb")).ratio == 1.0


def test_another_split_is_other_rows(report):
    for changes in (
        {"configuration": sample.YAML + "# --set measure.split=validation\n"},
        {"configuration": sample.YAML.replace("split: test", "split: validation")},
        {"configuration": sample.YAML + "# --set measure={split: validation, threads: 1}\n"},
    ):
        here, there = side(report, "int8"), side(sample.full_report(**changes), "int8", "other")
        assert there.rows.split == "validation"
        assert cell(there, here, column([here, there], "accuracy")).difference is None


def test_a_split_out_of_a_variable_may_be_another_one_in_another_run(report):
    said = {"configuration": sample.YAML.replace("split: test", "split: '${env:SPLIT}'")}
    one, other = sample.full_report(**said), sample.full_report(**said)
    here, there = side(one, "int8"), side(other, "int8", "other")
    assert cell(there, here, column([here, there], "accuracy")).difference is None
    assert cell(here, side(one, "teacher"), column([here, there], "accuracy")).difference is not None


@pytest.mark.parametrize("change", [{"processor": "AMD EPYC"}, {"cores": 64}, {"libraries": {"onnxruntime": "1.30.0"}}])
def test_another_machine_or_runtime_is_no_comparison_of_latencies(report, change):
    other = sample.full_report(environment={**sample.ENVIRONMENT, **change})
    here, there = side(report, "int8"), side(other, "int8", "other")
    assert cell(there, here, column([here, there], "latency_ms_1x128")).ratio is None
    assert cell(there, here, column([here, there], "accuracy")).difference == 0


def test_other_threads_stand_in_a_column_of_their_own(report):
    other = sample.full_report()
    stages = [
        one if one.measures is None else one.model_copy(
            update={"measures": one.measures.model_copy(update={
                "latency": [latency.model_copy(update={"threads": 4}) for latency in one.measures.latency]})})
        for one in other.stages
    ]  # fmt: skip
    other = other.model_copy(update={"stages": stages})
    sides = [side(report, "int8"), side(other, "int8", "other")]
    all_of = compared(sides)
    assert "latency_ms_1x128_4t" in [one.name for one in all_of.headline]
    assert any("different threads (int8: 2 threads; other: 4 threads)" in doubt for doubt in all_of.doubts)


def test_what_keeps_models_apart_is_said(report):
    assert compared([side(report, "teacher"), side(report, "int8")]).doubts == []
    other = sample.full_report(
        environment={**sample.ENVIRONMENT, "processor": "AMD EPYC"},
        configuration=sample.YAML.replace("split: test", "split: validation"),
    )
    doubts = compared([side(report, "int8"), side(other, "int8", "other")]).doubts
    assert doubts[0].startswith(
        "measured on different rows (int8: 425 test rows of 2e2e2e2e2e2e; other: 425 validation"
    )
    assert doubts[1].startswith("measured on different machines (int8: Intel(R) Xeon(R)")
    again = sample.full_report()
    assert compared([side(report, "int8"), side(again, "int8", "again")]).doubts == [
        "from different runs: their latencies were not taken in turns (`compress bench` does that)."
    ]


def test_adapters_of_a_set_stand_below_it_on_their_own_rows(report):
    sides = sides_of(report, chosen_stage(report, "edge"), label="edge", where="here")
    assert [one.label for one in sides] == ["edge", "edge · short texts"]
    assert sides[1].rows.count == 118
    assert cell(sides[1], sides[0], column(sides, "accuracy")).difference is None
