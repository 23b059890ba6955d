"""`merge_lora` gives the delta's answers, or fails."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress.chain.manifest import ModelManifest
from compress.errors import ModelError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps import merge_lora
from compress.steps.merge_lora import AGREEMENT, MergeLora, _limit
from tests.steps.test_finetune import workspace
from tests.steps.test_finetune_lora import step as finetune_lora
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_base, tiny_texts


def trained(folder: Path, family: Any = "bert") -> TinyWorkspace:
    """A workspace with a trained delta, `delta`."""
    tiny_base(folder / "base", family)
    here = workspace(folder)
    finetune_lora(folder, training={"epochs": 2, "learning_rate": 1e-2}).run(here)
    artifacts = {**here.artifacts, "delta": tiny_artifact("LoraDelta", here.out)}
    return TinyWorkspace(folder / "merged", artifacts)


def merge() -> MergeLora:
    return MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "delta"})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_merged_checkpoint_answers_as_the_delta(family: Any, tmp_path: Path) -> None:
    here = trained(tmp_path, family)
    merge().run(here)
    texts = tiny_texts(20, seed=7)[0]

    def logits(folder: Path, base: Path | None = None) -> Any:
        return predict_all(
            open_torch(folder, threads=0, base_folder=base), TextEncoder.load(folder, max_length=32), texts,
            batch_size=4, progress=Silent(), description="",
        )  # fmt: skip

    assert np.allclose(logits(here.out), logits(tmp_path / "out", tmp_path / "base"), atol=1e-4)
    facts, delta = ModelManifest.read(here.out), ModelManifest.read(tmp_path / "out")
    assert (facts.kind, facts.base, facts.base_digest) == ("Checkpoint", "base", delta.base_digest)
    assert (facts.dataset, facts.labels, facts.parameters) == (delta.dataset, delta.labels, delta.parameters)
    assert [ancestor.step for ancestor in facts.lineage] == ["finetune_lora", "merge_lora"]
    assert facts.details["parity"]["rows"] == 32
    assert facts.details["parity"]["max_difference"] <= 1e-4


def test_a_base_that_changed_is_refused(tmp_path: Path) -> None:
    here = trained(tmp_path)
    tiny_base(tmp_path / "base", seed=5)
    with pytest.raises(ModelError, match=r"the delta .* was trained on base .* by now: put the old one back"):
        merge().run(here)


def test_a_base_that_is_gone_is_refused(tmp_path: Path) -> None:
    here = trained(tmp_path)
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"the delta .* was trained on base .* is gone: put it back"):
        merge().run(here)


def test_answers_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = trained(tmp_path)
    monkeypatch.setattr(merge_lora, "_limit", lambda answers: -1.0)
    with pytest.raises(ModelError, match="the merged model answers differently: logits differ by"):
        merge().run(here)


def test_the_limit_grows_with_answers_in_thousands_alone() -> None:
    assert _limit(np.array([[0.5, -49.0]], dtype=np.float32)) == AGREEMENT
    assert _limit(np.array([[-4000.0]], dtype=np.float32)) == pytest.approx(0.008)
