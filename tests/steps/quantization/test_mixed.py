import json
import shutil

import pytest
from pydantic import ValidationError

from compress.benchmarking.size import model_size_mb
from compress.chain.manifest import ModelManifest
from compress.chain.sensitivity import SensitivityReport, ranked
from compress.chain.step import edges
from compress.errors import QuantizationError, StepError
from compress.steps.export_onnx import ExportOnnx
from compress.steps.quantize import Quantize
from compress.steps.sensitivity import MeasureSensitivity
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_onnx


def step(**scheme):
    said = {"kind": "mixed", "sensitivity": "sensitive", **scheme}
    return Quantize.model_validate({"name": "mix", "step": "quantize", "model": "onnx", "scheme": said})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A float model, its data, and its sensitivity in all precisions."""
    folder = tmp_path_factory.mktemp("made")
    made = {
        "onnx": tiny_artifact("OnnxModel", tiny_onnx(folder / "onnx")),
        "texts": tiny_artifact("Dataset", tiny_dataset_folder(folder / "texts", rows=120)),
    }
    said = {"name": "it", "step": "sensitivity", "model": "onnx", "precisions": ["int8", "int4", "static_int8"]}
    measured = MeasureSensitivity.model_validate({**said, "calibrate_ranges": {"rows": 12}})
    measured.run(TinyWorkspace(folder / "sensitive", made))
    return {**made, "sensitive": tiny_artifact("Sensitivity", folder / "sensitive")}


def run(folder, made, scheme):
    workspace = TinyWorkspace(folder, made)
    artifact = scheme.run(workspace)
    return artifact, ModelManifest.read(artifact.path)


def test_everything_is_quantized_where_any_drop_will_do(tmp_path, made):
    _, manifest = run(tmp_path / "out", made, step(max_drop=1))
    mixed = manifest.details["mixed"]
    assert mixed["goal"] == {"max_drop": 1}
    assert mixed["int8"] + mixed["int4"] == len(mixed["precision"]) == sum(manifest.details["quantized"].values())
    assert mixed["int8"] + mixed["int4"] + mixed["float"] == 17
    assert mixed["float"] <= 1, "a head so small that nothing is saved stays as it is"
    assert len(mixed["tried"]) == 1
    assert manifest.batch_invariant
    assert manifest.details["batch_invariance"]["same"]


def test_the_drop_of_the_assembled_model_is_kept(tmp_path, made):
    artifact, manifest = run(tmp_path / "out", made, step(max_drop=0.0, tries=30))
    mixed = manifest.details["mixed"]
    assert mixed["drop"] <= 0
    assert mixed["chosen_on_rows"] == 40
    assert all(one["holds"] == (one["drop"] <= 0) for one in mixed["tried"])
    smaller, _ = run(tmp_path / "all", made, step(max_drop=1))
    assert (artifact.path / "model.onnx").stat().st_size >= (smaller.path / "model.onnx").stat().st_size


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_a_size_is_kept_and_used(tmp_path, made, share):
    """10^6 bytes of all that is needed, as gates count; at most one part's bytes are left over."""
    largest = model_size_mb(made["onnx"].path)
    smallest = model_size_mb(run(tmp_path / "smallest", made, step(max_drop=1))[0].path)
    budget = smallest + share * (largest - smallest)
    artifact, manifest = run(tmp_path / "out", made, step(size_mb=budget))
    size = model_size_mb(artifact.path)
    assert smallest <= size <= budget
    report = made["sensitive"].report
    assert budget - size < max(one.bytes_saved for one in report.parts) / 1e6
    assert manifest.details["mixed"]["goal"] == {"size_mb": budget}
    assert "drop" in manifest.details["mixed"]


def test_a_size_that_cannot_be_reached_is_refused_with_the_smallest(tmp_path, made):
    smallest = model_size_mb(run(tmp_path / "smallest", made, step(max_drop=1))[0].path)
    with pytest.raises(QuantizationError, match=rf"cannot be reached: .* takes {smallest:.3f} MB"):
        run(tmp_path / "out", made, step(size_mb=0.01))


def test_precisions_that_are_named_are_those_that_are_used(tmp_path, made):
    _, manifest = run(tmp_path / "out", made, step(max_drop=1, precisions=["int8"]))
    assert manifest.details["mixed"]["int8"] >= 16
    assert manifest.details["mixed"]["int4"] == 0


def with_report(made, folder, **changes):
    report = made["sensitive"].report
    folder.mkdir()
    made["sensitive"].manifest.write(folder)
    SensitivityReport(**{**dict(report), **changes}).write(folder)
    return {**made, "sensitive": tiny_artifact("Sensitivity", folder)}


SCHEMES = {"mixed": step(max_drop=1), "static_int8": step(kind="static_int8", max_drop=1)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_report_about_another_model_is_refused(tmp_path, made, scheme):
    other = with_report(made, tmp_path / "report", model="ab" * 32)
    with pytest.raises(StepError, match="'sensitive' is about the model abababababab, this one is"):
        run(tmp_path / "out", other, SCHEMES[scheme])


@pytest.mark.parametrize(("scheme", "missing"), [("mixed", "int4"), ("static_int8", "static_int8")])
def test_a_precision_that_was_not_measured_is_refused(tmp_path, made, scheme, missing):
    parts = made["sensitive"].report.in_precision("int8")
    with pytest.raises(StepError, match=f"measured no {missing} .it has int8.: add it to its `precisions`"):
        run(tmp_path / "out", with_report(made, tmp_path / "report", parts=ranked(list(parts))), SCHEMES[scheme])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_drop_is_judged_on_validation_rows_whatever_the_report_was_taken_on(tmp_path, made, scheme):
    _, manifest = run(tmp_path / "out", with_report(made, tmp_path / "report", split="train"), SCHEMES[scheme])
    mixed = manifest.details["mixed"]
    assert (mixed["split"], mixed["chosen_on_rows"]) == ("validation", 40)


def test_without_validation_rows_it_is_judged_on_those_of_the_report_with_a_warning(tmp_path, made):
    texts = tmp_path / "texts"
    shutil.copytree(made["texts"].path, texts)
    shutil.rmtree(texts / "validation")
    said = json.loads((texts / "manifest.json").read_text())
    del said["splits"]["validation"]
    (texts / "manifest.json").write_text(json.dumps(said))
    without = {**with_report(made, tmp_path / "report", split="train"), "texts": tiny_artifact("Dataset", texts)}
    workspace = TinyWorkspace(tmp_path / "out", without)
    mixed = ModelManifest.read(step(max_drop=1).run(workspace).path).details["mixed"]
    assert (mixed["split"], mixed["chosen_on_rows"]) == ("train", 120)
    assert any("no validation split, so the drop is read on train rows" in one for one in workspace.progress.warnings)


def test_static_int8_leaves_the_most_sensitive_products_float(tmp_path, made, monkeypatch):
    """As if every model lost a point that has the worst product quantized."""
    worst = made["sensitive"].report.in_precision("static_int8")[0]
    from compress.quantization import static_calibrated

    real, left = static_calibrated.quantize_calibrated, []

    def remembered(*said, leave_float_products, **options):
        left.append(leave_float_products)
        return real(*said, leave_float_products=leave_float_products, **options)

    monkeypatch.setattr(static_calibrated, "quantize_calibrated", remembered)
    monkeypatch.setattr(
        "compress.steps.quantization.sensitive.Proof.drop", lambda proof: float(worst.part not in left[-1])
    )
    said = {"calibrate_ranges": {"rows": 8}, "embeddings": False, "max_drop": 0.5}
    _, manifest = run(tmp_path / "out", made, step(kind="static_int8", **said))
    assert worst.part in manifest.details["left_float"]
    assert manifest.details["mixed"]["left_float"] == manifest.details["left_float"] == sorted(left[-1])
    assert sum(manifest.details["quantized"].values()) == 14 - len(left[-1])
    assert manifest.details["mixed"]["goal"] == {"max_drop": 0.5}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "exactly one of `max_drop`, `size_mb`; found none of them"),
        ({"max_drop": 0.1, "size_mb": 3.0}, "found max_drop and size_mb"),
        ({"size_mb": 3.0, "tries": 4}, "`tries` goes with `max_drop`"),
        ({"max_drop": -0.1}, "greater than or equal to 0"),
        ({"size_mb": 0}, "greater than 0"),
        ({"max_drop": 0.1, "precisions": ["float"]}, "'int8' or 'int4'"),
        ({"kind": "static_int8"}, "belong together"),
        ({"kind": "static_int8", "sensitivity": None, "max_drop": 0.1}, "belong together"),
    ],
)
def test_words_without_a_meaning_are_refused(said, message):
    with pytest.raises(ValidationError, match=message):
        step(**said)


def measuring(**said):
    return MeasureSensitivity.model_validate({"name": "sensitive", "step": "sensitivity", "model": "onnx", **said})


@pytest.mark.parametrize(
    ("scheme", "measured", "missing"),
    [
        ({"max_drop": 1}, ["int8"], "int4"),
        ({"max_drop": 1, "precisions": ["int8"]}, ["int8"], None),
        ({"kind": "static_int8", "max_drop": 1}, ["int8", "int4"], "static_int8"),
        ({"kind": "static_int8", "max_drop": 1}, ["static_int8"], None),
    ],
)
def test_a_precision_that_will_not_be_measured_is_said_before_any_work(scheme, measured, missing):
    found = list(step(**scheme).check_inputs({"sensitive": measuring(precisions=measured)}))
    there = ", ".join(measured)
    said = f"'sensitive' measures no {missing} (it has {there}): add it to its `precisions`"
    assert found == ([(("scheme", "sensitivity"), said)] if missing else [])


def test_the_report_is_an_edge_and_has_to_be_of_the_same_stage():
    quantize = step(max_drop=1)
    assert {loc: edge.stage for loc, edge in edges(quantize).items()} == {
        ("model",): "onnx", ("scheme", "sensitivity"): "sensitive",
    }  # fmt: skip
    exported = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "teacher"})
    for about, problems in (("onnx", 0), ("other", 1)):
        found = list(quantize.check_inputs({"onnx": exported, "sensitive": measuring(model=about)}))
        assert len(found) == problems
    assert found[0] == (
        ("scheme", "sensitivity"),
        "'sensitive' measured 'other', and this quantizes 'onnx': measure the same model",
    )
