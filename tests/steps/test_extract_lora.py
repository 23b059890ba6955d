"""`extract_lora` from a checkpoint and its base to a delta that merges back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from compress.chain.artifacts import LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.models.load import load_checkpoint, load_tokenizer
from compress.models.save import save_checkpoint
from compress.steps.extract_lora import ExtractLora
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.merge_lora import MergeLora
from tests.steps.test_combine_lora import logits
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder


def step(folder: Path, **fields: Any) -> ExtractLora:
    said = {"name": "extracted", "step": "extract_lora", "model": "tuned", **fields}
    return ExtractLora.model_validate(said, context={"folder": folder})


def workspace(folder: Path, family: Any = "bert", *, bias: float = 0.0) -> TinyWorkspace:
    """`start`, and `tuned`: the same with other weights in each linear layer of the encoder, and another head."""
    data = tiny_artifact("Dataset", tiny_dataset_folder(folder / "news"))
    start = tiny_checkpoint(folder / "start", family, dataset=data.digest)
    tuned = tiny_checkpoint(folder / "tuned", family, dataset=data.digest)
    model, random = load_checkpoint(tuned), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            head = not name.startswith(f"{model.base_model_prefix}.")
            if head or (".layer." in name and weights.dim() == 2):
                weights.add_(0.1 * torch.randn(weights.shape, generator=random))
            elif ".layer.0." in name and name.endswith("bias"):
                weights.add_(bias)
    save_checkpoint(model, load_tokenizer(tuned), tuned, max_length=32)
    artifacts = {"news": data, "start": tiny_artifact("Checkpoint", start), "tuned": tiny_artifact("Checkpoint", tuned)}
    return TinyWorkspace(folder / "out", artifacts)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_full_rank_it_answers_as_the_model_and_merges_back(family: Any, tmp_path: Path) -> None:
    here = workspace(tmp_path, family)
    assert isinstance(step(tmp_path, base={"stage": "start"}, rank=64).run(here), LoraDelta)
    wanted = logits(tmp_path / "tuned", None)
    assert np.allclose(logits(here.out, tmp_path / "start"), wanted, atol=1e-4)
    facts = ModelManifest.read(here.out)
    assert facts.figures == {"energy_kept": pytest.approx(1), "residue": 0}
    assert facts.base_digest == here.artifacts["start"].digest
    assert here.progress.warnings == []
    merged = TinyWorkspace(tmp_path / "merged", {**here.artifacts, "delta": tiny_artifact("LoraDelta", here.out)})
    MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "delta"}).run(merged)
    assert np.allclose(logits(merged.out, None), wanted, atol=1e-4)
    bottom = ModelManifest.read(merged.out)
    assert (bottom.base, bottom.base_digest) == ("tiny", "0" * 64)


def test_the_share_that_is_kept_is_a_figure_and_the_base_may_lie_outside(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    step(tmp_path, base="start", energy=0.6).run(here)
    facts = ModelManifest.read(here.out)
    assert 0.6 <= facts.figures["energy_kept"] < 0.75
    assert facts.base_digest == Digests().folder(tmp_path / "start")
    assert facts.base == str(tmp_path / "start")
    assert 1 < facts.details["ranks"]["most"] < 32
    assert facts.details["layers"] == 12


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    here = workspace(tmp_path, bias=1.0)
    step(tmp_path, base={"stage": "start"}, rank=64).run(here)
    facts = ModelManifest.read(here.out)
    assert 0 < facts.figures["residue"] < 1
    assert len(facts.details["lost"]) == 8  # six linear layers and two normalisations of the first layer
    assert "8 weights that differ are not carried (bert." in here.progress.warnings[0]


def test_its_figures_may_be_gated_and_the_model_itself_is_no_base(tmp_path: Path) -> None:
    assert step(tmp_path, base={"stage": "start"}, rank=4).own_figures() == ("energy_kept", "residue")
    (problem,) = step(tmp_path, base={"stage": "tuned"}, rank=4).check_inputs({})
    assert problem == (("base", "stage"), "'tuned' is the model itself: write the stage that it was trained from")


@pytest.mark.parametrize(("words", "found"), [({}, "none of them"), ({"rank": 4, "energy": 0.5}, "rank and energy")])
def test_exactly_one_of_rank_and_energy_is_needed(words: dict[str, Any], found: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=f"exactly one of `rank`, `energy`; found {found}"):
        step(tmp_path, base="start", **words)


def test_a_delta_trained_on_the_same_stage_has_the_same_base(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    step(tmp_path, base={"stage": "start"}, rank=2).run(here)
    extracted = ModelManifest.read(here.out)
    there = TinyWorkspace(tmp_path / "trained", here.artifacts)
    FinetuneLora.model_validate(
        {"name": "delta", "step": "finetune_lora", "data": "news", "base": {"stage": "start"}, "max_length": 32,
         "training": {"steps": 1}}
    ).run(there)  # fmt: skip
    assert ModelManifest.read(there.out).base_digest == extracted.base_digest
