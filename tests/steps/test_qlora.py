"""`finetune_lora` on a 4-bit base, and what `merge_lora` and `adapter_set` make of its delta."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from compress.chain.digests import Digests
from compress.chain.key import said_by
from compress.chain.manifest import ModelManifest
from compress.errors import ModelError
from compress.inference.adapter_predictor import open_adapter
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.models.load import load_base
from compress.models.quantized import Quantization
from compress.progress import Silent
from compress.steps import quantized_models
from compress.steps.adapter_set import AdapterSet
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.loss_of_merging import loss_of_merging, tell_loss
from compress.steps.merge_lora import MergeLora
from compress.tuning import checkpointing
from tests.steps.test_finetune import QUICK, workspace
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_base, tiny_texts

TEXTS = tiny_texts(40, seed=99)


def step(folder: Path, **fields: Any) -> FinetuneLora:
    said = {"name": "delta", "step": "finetune_lora", "data": "news", "base": "base", "max_length": 32, "rank": 8,
            "quantized_base": "nf4", "training": {**QUICK, "epochs": 20}}  # fmt: skip
    return FinetuneLora.model_validate({**said, **fields}, context={"folder": folder})


def logits(folder: Path, **how: Any) -> Any:
    return predict_all(
        open_torch(folder, threads=0, **how), TextEncoder.load(folder, max_length=32), TEXTS[0], batch_size=8,
        progress=Silent(), description="",
    )  # fmt: skip


def trained(folder: Path, family: Any = "bert", **fields: Any) -> TinyWorkspace:
    """A workspace in which a delta was made."""
    tiny_base(folder / "base", family)
    here = workspace(folder)
    step(folder, **fields).run(here)
    return here


def merged(folder: Path, here: TinyWorkspace) -> TinyWorkspace:
    there = TinyWorkspace(folder / "merged", {**here.artifacts, "delta": tiny_artifact("LoraDelta", here.out)})
    MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "delta"}).run(there)
    return there


@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_on_four_bits_and_merges_onto_the_full_base_with_the_loss_said(family: Any, tmp_path: Path) -> None:
    here = trained(tmp_path, family)
    facts, base = ModelManifest.read(here.out), tmp_path / "base"
    assert (facts.details["quantized_base"], facts.details["quantized_layers"]) == ("nf4", 12)
    assert facts.details["gradient_checkpointing"] is True, "by default"
    assert (facts.base, facts.base_digest) == (str(base), Digests().folder(base))
    assert facts.parameters == load_base(base, task=facts.task, labels=facts.labels).num_parameters()
    as_trained, full = logits(here.out, base_folder=base), logits(here.out, base_folder=base, as_trained=False)
    assert (np.argmax(as_trained, -1) == TEXTS[1]).mean() > 0.6
    assert np.abs(as_trained - full).max() > 0.001
    there = merged(tmp_path, here)
    found = ModelManifest.read(there.out).details
    assert np.allclose(logits(there.out), full, atol=1e-4)
    assert found["parity"]["max_difference"] <= 1e-4
    assert (found["quantized_base"], found["loss"]["rows"]) == ("nf4", 32)
    assert found["loss"]["agreement"]["value"] > 0.5
    assert set(found["loss"]["drops"]["accuracy"]) == {"value", "interval"}


def test_peft_reads_the_delta_on_the_full_base(tmp_path: Path) -> None:
    here = trained(tmp_path, training={**QUICK, "epochs": 2})
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3)
    delta = PeftModel.from_pretrained(plain, str(here.out)).eval()
    tokenizer = AutoTokenizer.from_pretrained(here.out)
    with torch.no_grad():
        theirs = delta(**tokenizer(TEXTS[0], padding=True, return_tensors="pt")).logits.numpy()
    assert np.allclose(theirs, logits(here.out, base_folder=tmp_path / "base", as_trained=False), atol=1e-5)


def test_a_plain_delta_says_nothing_of_bits(tmp_path: Path) -> None:
    here = trained(tmp_path, quantized_base=None, training={"steps": 2})
    assert set(ModelManifest.read(here.out).details) == {"training"}
    assert set(ModelManifest.read(merged(tmp_path, here).out).details) == {"parity"}


def test_in_bf16_the_codes_stay_whole_and_it_still_learns(tmp_path: Path) -> None:
    here = trained(tmp_path, training={**QUICK, "epochs": 20, "precision": "bf16"}, double_quantization=True)
    answers = logits(here.out, base_folder=tmp_path / "base")
    assert ModelManifest.read(here.out).details["training"]["precision"] == "bf16"
    assert (np.argmax(answers, -1) == TEXTS[1]).mean() > 0.6


def test_a_set_serves_it_on_the_float_base_as_merged(tmp_path: Path) -> None:
    here = trained(tmp_path, training={**QUICK, "epochs": 3})
    artifacts = {**here.artifacts, "delta": tiny_artifact("LoraDelta", here.out)}
    made = TinyWorkspace(tmp_path / "set", artifacts)
    AdapterSet.model_validate({"name": "set", "step": "adapter_set", "deltas": {"news": "delta"}}).run(made)
    encoder = TextEncoder.load(made.out / "base", max_length=32)
    served = open_adapter(made.out, "news", threads=1).predict(encoder.encode(TEXTS[0]))["logits"]
    assert np.abs(served - logits(merged(tmp_path, here).out)).max() < 1e-5
    assert np.abs(served - logits(here.out, base_folder=tmp_path / "base")).max() > 1e-4


@pytest.mark.parametrize(("family", "quantized_base"), [("bert", "nf4"), ("bert", None), ("mpnet", "nf4")])
def test_gradient_checkpointing_changes_memory_and_not_the_delta(
    family: Any, quantized_base: Any, tmp_path: Path
) -> None:
    training = {"steps": 4, "learning_rate": 1e-3, "precision": "fp32"}
    here = trained(tmp_path, family, quantized_base=quantized_base, training=training, gradient_checkpointing=False)
    there = TinyWorkspace(tmp_path / "again", here.artifacts, seed=1)
    step(tmp_path, quantized_base=quantized_base, training=training, gradient_checkpointing=True).run(there)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (here.out, there.out))
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


@pytest.mark.parametrize(
    ("quantized_base", "said", "done"),
    [("nf4", None, True), ("nf4", False, False), (None, None, False), (None, True, True)],
)
def test_activations_are_computed_again_as_said_or_where_memory_is_to_be_saved(
    quantized_base: Any, said: Any, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(checkpointing, "checkpoint_gradients", heard.append)
    trained(tmp_path, quantized_base=quantized_base, gradient_checkpointing=said, training={"steps": 1})
    assert len(heard) == done


def test_the_keys_of_deltas_that_were_made_before_stay(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    plain, quantized = (
        said_by(step(tmp_path, quantized_base=bits), seed=1, inputs={"news": "a digest"}, digests=Digests())
        for bits in (None, "nf4")
    )
    assert set(quantized["configuration"]) - set(plain["configuration"]) == {"quantized_base"}
    assert "gradient_checkpointing" not in plain["configuration"]


def test_double_quantization_needs_a_quantized_base(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="`double_quantization` has no effect without `quantized_base: nf4`"):
        step(tmp_path, quantized_base=None, double_quantization=True)


def test_check_says_when_bitsandbytes_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized_models, "installed", lambda library: library != "bitsandbytes")
    ((loc, message),) = step(tmp_path).check_inputs({})
    assert loc == ("quantized_base",)
    assert message.startswith("quantized_base: nf4 needs bitsandbytes, which is not installed")
    assert not list(step(tmp_path, quantized_base=None).check_inputs({}))


def test_a_word_of_a_newer_program_is_refused() -> None:
    with pytest.raises(ModelError, match="was trained on a base in 'fp4'; this program knows nf4"):
        Quantization.of_base({"quantized_base": "fp4"})


class Heard(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def told(right_as_trained: int, right_merged: int) -> Heard:
    """Of 200 rows of two classes that are all of class 0."""

    def answers(right: int) -> Any:
        return np.where((np.arange(200) < right)[:, None], [1.0, -1.0], [-1.0, 1.0]).astype(np.float32)

    targets, labels, heard = np.zeros(200, dtype=np.int64), ("no", "yes"), Heard()
    found = loss_of_merging(
        answers(right_merged), answers(right_as_trained), targets, task="text-classification", labels=labels
    )
    assert found["drops"]["accuracy"]["value"] == (right_as_trained - right_merged) / 200
    assert found["agreement"]["value"] == 1 - abs(right_as_trained - right_merged) / 200
    tell_loss(found, task="text-classification", progress=heard, name="merged")
    return heard


def test_a_loss_beyond_chance_is_a_warning_and_another_is_only_said() -> None:
    (warning,) = told(180, 150).warnings
    assert "on 200 rows accuracy is worse by 0.1500 (95%: " in warning
    (said,) = told(180, 179).said
    assert "99.5% of them get the same answer" in said


def test_a_regression_has_drops_and_no_agreement() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    found = loss_of_merging(values[:, None] + 0.1, values[:, None], values, task="text-regression", labels=("value",))
    assert found["agreement"] is None
    assert found["drops"]["rmse"]["value"] == pytest.approx(0.1, abs=1e-6)
