"""`quantize_torch` makes a checkpoint that answers and teaches, and that nothing else is done with."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from compress import extras
from compress.chain.artifacts import Checkpoint
from compress.chain.manifest import ModelManifest
from compress.chain.step import Step
from compress.errors import ModelError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps import AnyStep, quantized_models
from compress.steps.distill import Distill
from compress.steps.export_onnx import ExportOnnx
from compress.steps.quantize_torch import QuantizeTorch
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_base, tiny_checkpoint, tiny_dataset_folder, tiny_texts


def step(**fields: Any) -> QuantizeTorch:
    return QuantizeTorch.model_validate({"name": "few", "step": "quantize_torch", "model": "teacher", **fields})


def workspace(folder: Path, **shape: Any) -> TinyWorkspace:
    """With a data set and a model that is trained on it."""
    data = tiny_artifact("Dataset", tiny_dataset_folder(folder / "news"))
    tiny_checkpoint(folder / "teacher", dataset=data.digest, **shape)
    teacher = tiny_artifact("Checkpoint", folder / "teacher")
    return TinyWorkspace(folder / "out", {"news": data, "teacher": teacher})


def logits(folder: Path) -> Any:
    return predict_all(
        open_torch(folder, threads=0), TextEncoder.load(folder, max_length=32), tiny_texts(30, seed=4)[0],
        batch_size=8, progress=Silent(), description="",
    )  # fmt: skip


@pytest.mark.parametrize("bits", [8, "nf4"])
def test_it_answers_nearly_as_before_in_fewer_bytes_and_says_what_was_done(bits: Any, tmp_path: Path) -> None:
    here = workspace(tmp_path, hidden=64)
    made = step(bits=bits).run(here)
    facts = ModelManifest.read(here.out)
    before, after = logits(tmp_path / "teacher"), logits(here.out)
    assert isinstance(made, Checkpoint)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > (0.99 if bits == 8 else 0.9)
    assert facts.details["size_mb_after"] < facts.details["size_mb_before"]
    assert (len(facts.details["quantized"]), facts.details["left"]) == (12, ["bert.pooler.dense", "classifier"])
    assert facts.batch_invariant == (bits == "nf4")
    assert facts.parameters == ModelManifest.read(tmp_path / "teacher").parameters
    assert [one.step for one in facts.lineage] == ["quantize_torch"]


def test_the_folder_is_the_same_each_time(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    step(bits="nf4", double_quantization=True).run(here)
    there = TinyWorkspace(tmp_path / "again", here.artifacts)
    step(bits="nf4", double_quantization=True).run(there)
    assert tiny_artifact("Checkpoint", here.out).digest == tiny_artifact("Checkpoint", there.out).digest


def test_double_quantization_is_of_nf4_alone() -> None:
    with pytest.raises(ValidationError, match="`double_quantization` is of nf4's scales and has no effect with 8 bits"):
        step(bits=8, double_quantization=True)


def test_it_teaches(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    step(bits="nf4").run(here)
    tiny_base(tmp_path / "base", layers=1)
    pupil = TinyWorkspace(tmp_path / "pupil", {**here.artifacts, "few": tiny_artifact("Checkpoint", here.out)})
    said = {"name": "pupil", "step": "distill", "teacher": "few", "data": "news", "student": {"base": "base"},
            "objectives": [{"kind": "logits"}, {"kind": "sentence_vectors"}],
            "training": {"steps": 3}}  # fmt: skip
    Distill.model_validate(said, context={"folder": tmp_path}).run(pupil)
    assert ModelManifest.read(pupil.out).details["training"]["steps"] == 3


def problems(said: dict[str, Any], folder: Path) -> list[tuple[Any, str]]:
    """What the step says of a stage `few` that is quantized."""
    one: Step = TypeAdapter(AnyStep).validate_python({"name": "next", **said}, context={"folder": folder})
    return list(one.check_inputs({"few": step(bits="nf4")}))


CANNOT: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"step": "export_onnx", "model": "few"}, ("model",), r"be exported \(`step: quantize` after the export"),
    ({"step": "prune", "model": "few", "method": {"kind": "heads", "keep": 0.5}}, ("model",), "be pruned"),
    ({"step": "quantize_torch", "model": "few", "bits": 8}, ("model",), "be quantized again"),
    ({"step": "train_quantized", "model": "few", "data": "news"}, ("model",), "be trained on"),
    ({"step": "finetune_lora", "data": "news", "base": {"stage": "few"}}, ("base", "stage"), "be trained on"),
    ({"step": "extract_lora", "model": "few", "base": "base", "rank": 1}, ("model",), "be compared"),
    ({"step": "distill", "data": "news", "teacher": "teacher", "student": {"stage": "few"}}, ("student", "stage"),
     "learn as a student"),
    ({"step": "distill", "data": "news", "teacher": "few", "student": {"layers": 1}}, ("student", "layers"),
     "give its layers to a student"),
    ({"step": "adapter_set", "deltas": {"one": "delta"}, "base": "few"}, ("base",), "be the base of a set"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "loc", "cannot"), CANNOT, ids=lambda value: str(value)[:40])
def test_check_names_the_float_stage_instead(said: Any, loc: Any, cannot: str, tmp_path: Path) -> None:
    ((found, message),) = problems(said, tmp_path)
    assert found == loc
    assert message.startswith("'few' is quantized by bitsandbytes and cannot ")
    assert message.endswith(": name 'teacher', its float model")
    assert re.search(cannot, message)


def test_it_may_teach_a_model_that_is_trained_quantized(tmp_path: Path) -> None:
    assert not problems({"step": "train_quantized", "model": "teacher", "teacher": "few", "data": "news"}, tmp_path)


def test_an_export_refuses_it_when_it_runs_too(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    step(bits=8).run(here)
    there = TinyWorkspace(tmp_path / "onnx", {**here.artifacts, "few": tiny_artifact("Checkpoint", here.out)})
    export = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "few"})
    with pytest.raises(ModelError, match=r"its weights cannot be changed, trained or exported\. Take the model"):
        export.run(there)


def test_check_says_when_bitsandbytes_is_missing_on_a_machine_that_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized_models, "installed", lambda library: library != "bitsandbytes")
    ((loc, message),) = step(bits=8).check_inputs({})
    assert loc == ("step",)
    assert message.startswith("quantize_torch needs bitsandbytes, which is not installed: pip install ")
    monkeypatch.setattr(quantized_models, "installed", lambda library: False)
    assert not list(step(bits=8).check_inputs({}))
    assert extras.extra_of("bitsandbytes") == "train"
