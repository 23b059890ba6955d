import json

import pytest
from pydantic import ValidationError

from compress.chain.artifacts import Sensitivity
from compress.chain.manifest import SensitivityManifest
from compress.chain.sensitivity import SensitivityReport
from compress.errors import DataError, StepError, StoreError
from compress.steps.export_onnx import ExportOnnx
from compress.steps.quantize import Quantize
from compress.steps.sensitivity import MeasureSensitivity
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_labels, tiny_onnx


def step(**said):
    return MeasureSensitivity.model_validate({"name": "sensitive", "step": "sensitivity", "model": "onnx", **said})


def stages(folder, *, rows=60, task="text-classification", family="bert"):
    classes = 1 if task == "text-regression" else 3
    return {
        "onnx": tiny_artifact("OnnxModel", tiny_onnx(folder / "onnx", family, task=task, classes=classes)),
        "texts": tiny_artifact("Dataset", tiny_dataset_folder(folder / "texts", rows=rows, task=task)),
    }


def run(folder, made, **said):
    workspace = TinyWorkspace(folder, made)
    return step(**said).run(workspace), workspace


def test_ranks_every_part_in_every_precision(tmp_path):
    made = stages(tmp_path)
    artifact, workspace = run(tmp_path / "out", made)
    assert isinstance(artifact, Sensitivity)
    assert artifact.runtime is None
    report = artifact.report
    assert report.model == made["onnx"].digest
    assert report.rows == 20, "all of the validation split"
    assert (report.by, report.split, report.primary) == ("operator", "validation", "accuracy")
    assert len(report.parts) == 2 * 17
    losses = [one.loss for one in report.parts]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0
    assert all(one.drop == pytest.approx(report.value - one.figure) for one in report.parts)
    four, eight = (sum(one.loss for one in report.in_precision(bits)) for bits in ("int4", "int8"))
    assert four > 5 * eight
    assert artifact.manifest == SensitivityManifest(
        task="text-classification", labels=tiny_labels(), model=made["onnx"].digest, dataset="0" * 64
    )
    assert not workspace.progress.warnings


def test_the_same_run_makes_the_same_file(tmp_path):
    made = stages(tmp_path)
    files = [run(tmp_path / name, made, by="layer")[0].path / "sensitivity.json" for name in ("one", "other")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_layers_are_a_coarser_report(tmp_path):
    artifact, _ = run(tmp_path / "out", stages(tmp_path), by="layer", precisions=["int8"], rows=8)
    assert [one.kind for one in artifact.report.parts].count("layer") == 2
    assert len(artifact.report.parts) == 2 + 2 + 3
    assert artifact.report.rows == 8


def test_static_int8_is_for_products(tmp_path):
    said = {"precisions": ["static_int8"], "calibrate_ranges": {"rows": 8}, "rows": 8}
    artifact, _ = run(tmp_path / "out", stages(tmp_path), **said)
    assert {(one.kind, one.precision) for one in artifact.report.parts} == {("product", "static_int8")}
    assert len(artifact.report.parts) == 14


def test_numbers_are_ranked_by_their_squared_difference(tmp_path):
    made = stages(tmp_path, task="text-regression")
    report = run(tmp_path / "out", made, precisions=["int8"], rows=12)[0].report
    assert report.primary == "rmse"
    assert all(one.kl is None and one.loss == one.mse for one in report.parts)
    assert all(one.drop == pytest.approx(one.figure - report.value) for one in report.parts)


def test_more_rows_than_there_are_is_all_of_them_and_the_split_can_be_another(tmp_path):
    said = {"split": "train", "precisions": ["int8"], "by": "layer", "rows": 10**6}
    report = run(tmp_path / "out", stages(tmp_path), **said)[0].report
    assert (report.split, report.rows) == ("train", 60)


def test_a_split_that_is_not_there_is_refused(tmp_path):
    made = stages(tmp_path)
    (made["texts"].path / "validation" / "state.json").unlink()
    with pytest.raises(DataError, match="has no 'validation' split"):
        run(tmp_path / "out", made)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"split": "test"}, "'validation' or 'train'"),
        ({"precisions": []}, "at least 1"),
        ({"precisions": ["int8", "int8"]}, "twice"),
        ({"precisions": ["int2"]}, "'int8', 'int4' or 'static_int8'"),
        ({"rows": 1}, "greater than or equal to 2"),
        ({"calibrate_ranges": {"rows": 8}}, "belongs to the precision static_int8"),
    ],
)
def test_words_without_a_meaning_are_refused(said, message):
    with pytest.raises(ValidationError, match=message):
        step(**said)


def test_a_quantized_model_has_no_sensitivity():
    int8 = Quantize.model_validate({"name": "onnx", "step": "quantize", "model": "float"})
    exported = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "teacher"})
    assert [loc for loc, _ in step().check_inputs({"onnx": int8})] == [("model",)]
    assert not list(step().check_inputs({"onnx": exported}))
    assert not list(step().check_inputs({}))


def test_too_few_rows_to_calibrate_on_are_said_before_the_model_is_asked(tmp_path, monkeypatch):
    made = stages(tmp_path)
    one = tmp_path / "one"
    made["one"] = tiny_artifact("Dataset", tiny_dataset_folder(one, rows=1))
    monkeypatch.setattr(
        "compress.steps.quantization.validation_rows.ValidationRows.logits", lambda *_: pytest.fail("asked")
    )
    with pytest.raises(StepError, match="the train split has 1 row"):
        run(tmp_path / "out", made, precisions=["static_int8"], calibrate_ranges={"data": "one"})


def test_a_damaged_report_is_not_believed(tmp_path):
    artifact, _ = run(tmp_path / "out", stages(tmp_path), by="layer", precisions=["int8"], rows=4)
    said = json.loads((artifact.path / "sensitivity.json").read_text())
    for change in ({"version": 2}, {"parts": [{"part": "a"}]}, {"model": None}):
        (artifact.path / "sensitivity.json").write_text(json.dumps({**said, **change}))
        with pytest.raises(StoreError, match="is no sensitivity report"):
            SensitivityReport.read(artifact.path)


def test_an_impossible_precision_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("compress.quantization.sensitivity.fits", lambda part, precision: False)
    with pytest.raises(StepError, match="no part of the model can be int8 or int4"):
        run(tmp_path / "out", stages(tmp_path))


def test_labels_by_themselves_have_their_own_main_figure(tmp_path):
    made = stages(tmp_path, task="multi-label-classification")
    report = run(tmp_path / "out", made, precisions=["int4"], by="layer", rows=12)[0].report
    assert report.primary == "f1_micro"
    assert 0 < report.value <= 1
    assert all(one.kl is not None for one in report.parts)
