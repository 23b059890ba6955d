from compress.reporting import summary
from tests.reporting import sample


def row(report, name):
    return next(row for row in summary.rows_of(report) if row.stage.name == name)


def test_the_speed_up_is_the_inverse_of_the_ratio_taken_in_turns():
    assert row(sample.full_report(), "edge").speed_up == 1 / 0.2084


def test_without_a_ratio_the_speed_up_is_of_the_medians_at_the_same_shape():
    report = sample.crowded_report(3)
    assert row(report, report.stages[-1].name).speed_up == 3.0


def test_the_reference_has_neither_drop_nor_speed_up():
    found = row(sample.full_report(), "teacher")
    assert found.is_reference
    assert (found.drop, found.speed_up) == (None, None)


def test_a_stage_is_as_good_as_its_worst_gate():
    outcomes = {row.stage.name: row.outcome for row in summary.rows_of(sample.failed_report())}
    assert outcomes["student"] == "fail"
    assert outcomes["onnx"] == "error"
    assert outcomes["edge"] == "skipped"
    assert row(sample.full_report(), "int8").outcome == "within_noise"


def test_the_headline_of_a_pass_compares_with_the_reference():
    assert summary.headline(sample.full_report()) == (
        "'edge' is 5.23× smaller and 4.80× faster than 'teacher', and loses 0.0048 accuracy (95% interval of the drop: "
        "−0.0049 to 0.0142). 3 gates are within noise: the interval reaches beyond the limit."
    )


def test_the_headline_of_a_failure_names_the_gate_and_its_numbers():
    assert summary.headline(sample.failed_report()) == (
        "max_drop.accuracy of 'student' against 'teacher' is 0.0212; it may be at most 0.01. 1 more problem below. "
        "Nothing was published."
    )


def test_the_headline_of_a_run_without_models_says_so():
    assert summary.headline(sample.no_model_report()) == "1 stage finished; no model was measured."
