import pytest

from compress.chain.artifacts import KINDS, Sensitivity, artifact_of
from compress.chain.sensitivity import MeasuredPart, SensitivityReport, ranked
from compress.errors import StoreError


def part(name, kl, *, mse=0.1, precision="int8"):
    return MeasuredPart(
        part=name, module=name, kind="product", operators=(name,), precision=precision, mse=mse, kl=kl, figure=0.9,
        drop=0.1, bytes_saved=100,
    )  # fmt: skip


def test_the_most_sensitive_stands_first_and_equal_ones_by_name():
    some = [part("b", 0.2), part("a", 0.2), part("c", 0.9), part("a", 0.2, precision="int4"), part("d", 0.2, mse=0.3)]
    told = [(one.part, one.precision) for one in ranked(some)]
    assert told == [("c", "int8"), ("d", "int8"), ("a", "int4"), ("a", "int8"), ("b", "int8")]
    assert ranked(some[::-1]) == ranked(some)


def test_without_probabilities_the_squared_difference_ranks():
    assert part("a", None, mse=0.3).loss == 0.3
    assert part("a", 0.2, mse=0.3).loss == 0.2


def test_it_is_read_as_it_was_written(tmp_path):
    report = SensitivityReport(
        model="ab" * 32, by="operator", split="validation", rows=3, primary="accuracy", value=0.9, float_bytes=1000,
        block_size=32, parts=(part("a", 0.2), part("a", 0.1, precision="int4")),
    )  # fmt: skip
    report.write(tmp_path)
    made = artifact_of("Sensitivity", tmp_path, "0" * 64)
    assert isinstance(made, Sensitivity)
    assert made.report == report
    assert report.in_precision("int4") == (report.parts[1],)


def test_it_is_an_artifact_that_is_no_model():
    assert KINDS["Sensitivity"].runtime is None


def test_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(StoreError, match="is no sensitivity report"):
        SensitivityReport.read(tmp_path)
