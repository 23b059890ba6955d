"""`finetune_lora` from data set to a delta that peft itself reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from compress.chain.artifacts import LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.errors import ModelError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps.finetune_lora import FinetuneLora
from tests.steps.test_finetune import QUICK, workspace
from tests.tiny import FAMILIES, tiny_base, tiny_labels, tiny_texts


def step(folder: Path, **fields: Any) -> FinetuneLora:
    said = {"name": "delta", "step": "finetune_lora", "data": "news", "base": "base", "max_length": 32,
            "rank": 8, "training": {**QUICK, "epochs": 20}}  # fmt: skip
    return FinetuneLora.model_validate({**said, **fields}, context={"folder": folder})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_delta_comes_out_that_learned_and_that_its_manifest_describes(family: Any, tmp_path: Path) -> None:
    base, here = tiny_base(tmp_path / "base", family), workspace(tmp_path)
    made = step(tmp_path).run(here)
    assert isinstance(made, LoraDelta)
    facts = ModelManifest.read(here.out)
    assert (facts.kind, facts.labels, facts.base) == ("LoraDelta", tiny_labels(), str(base))
    assert facts.base_digest == Digests().folder(base)
    assert facts.details["training"]["trainable_parameters"] < facts.parameters
    texts, labels = tiny_texts(40, seed=99)
    logits = predict_all(
        open_torch(here.out, threads=0, base_folder=base), TextEncoder.load(here.out, max_length=32), texts,
        batch_size=8, progress=Silent(), description="",
    )  # fmt: skip
    assert (np.argmax(logits, -1) == labels).mean() > 0.6


def test_peft_reads_the_folder_without_us(tmp_path: Path) -> None:
    base, here = tiny_base(tmp_path / "base"), workspace(tmp_path)
    step(tmp_path).run(here)
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    delta = PeftModel.from_pretrained(plain, str(here.out)).eval()
    tokenizer = AutoTokenizer.from_pretrained(here.out)
    texts = tiny_texts(10, seed=5)[0]
    with torch.no_grad():
        theirs = delta(**tokenizer(texts, padding=True, return_tensors="pt")).logits.numpy()
    ours = predict_all(
        open_torch(here.out, threads=0, base_folder=base), TextEncoder.load(here.out, max_length=32), texts,
        batch_size=4, progress=Silent(), description="",
    )  # fmt: skip
    assert np.allclose(theirs, ours, atol=1e-5)


def test_alpha_is_twice_the_rank_unless_said(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    here = workspace(tmp_path)
    step(tmp_path, training={"steps": 1}).run(here)
    assert PeftConfig.from_pretrained(here.out).lora_alpha == 16


def test_a_target_that_is_not_there_is_said(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    with pytest.raises(ModelError, match="no linear layer is called 'q_proj'"):
        step(tmp_path, targets=["q_proj"]).run(workspace(tmp_path))
