"""`finetune_lora` from data set to a delta that peft itself reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from compress.chain.artifacts import Artifact, LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.errors import ModelError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.pipeline.bases import Bases
from compress.progress import Silent
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.merge_lora import MergeLora
from compress.steps.prune import Prune
from tests.steps.test_finetune import QUICK, workspace
from tests.tiny import (
    FAMILIES,
    TinyWorkspace,
    tiny_artifact,
    tiny_base,
    tiny_checkpoint,
    tiny_dataset_folder,
    tiny_labels,
    tiny_texts,
)


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


def configuration(folder: Path, **fields: Any) -> LoraConfig:
    """What peft reads of the delta after one step."""
    tiny_base(folder / "base")
    here = workspace(folder)
    step(folder, training={"steps": 1}, **fields).run(here)
    read = LoraConfig.from_pretrained(here.out)
    assert isinstance(read, LoraConfig)
    return read


def test_a_layer_with_a_rank_of_its_own_has_twice_that_as_alpha(tmp_path: Path) -> None:
    read = configuration(
        tmp_path, rank_pattern={"query": 2, "layer.1.attention.self.value": 4}, alpha_pattern={"query": 3.0}
    )
    start, end = "bert.encoder.layer.", ".attention.self."
    queries = [f"{start}{layer}{end}query" for layer in (0, 1)]
    assert (read.r, read.lora_alpha) == (8, 16)
    assert read.rank_pattern == {**dict.fromkeys(queries, 2), f"{start}1{end}value": 4}
    assert read.alpha_pattern == {**dict.fromkeys(queries, 3.0), f"{start}1{end}value": 8}


def test_rank_stabilised_has_an_alpha_that_does_not_grow_with_the_rank(tmp_path: Path) -> None:
    read = configuration(tmp_path, rank_stabilised=True, rank_pattern={"query": 2})
    assert (read.use_rslora, read.lora_alpha, read.alpha_pattern) == (True, 8.0, {})


def test_the_files_do_not_change_with_the_order_of_a_set(tmp_path: Path) -> None:
    names = ["value", "query", "key", "output.dense"]
    configuration(tmp_path, targets=names)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["target_modules"] == sorted(names)


def test_with_loraplus_the_b_matrices_go_further(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    here = workspace(tmp_path)
    training = {"steps": 2, "learning_rate": 1e-4, "precision": "fp32"}
    step(tmp_path, loraplus_ratio=16, training=training).run(here)
    there = TinyWorkspace(tmp_path / "plain", here.artifacts, seed=1)
    step(tmp_path, training=training).run(there)
    fast, slow = (torch.cat([b.norm()[None] for b in b_matrices(folder)]) for folder in (here.out, there.out))
    assert ((fast / slow - 16).abs() < 2).all()  # B starts at zero, and Adam's first steps have the rate's length


def b_matrices(folder: Path) -> list[torch.Tensor]:
    saved = load_file(folder / "adapter_model.safetensors")
    return [saved[name] for name in sorted(saved) if "lora_B" in name]


def pruned(folder: Path) -> tuple[TinyWorkspace, Artifact]:
    """A workspace with a model that lost half of its heads: its shape is in structure.json."""
    data = tiny_artifact("Dataset", tiny_dataset_folder(folder / "news", 96))
    tiny_checkpoint(folder / "teacher", dataset=data.digest)
    here = TinyWorkspace(folder / "pruned", {"news": data, "teacher": tiny_artifact("Checkpoint", folder / "teacher")})
    said = {"name": "pruned", "step": "prune", "model": "teacher", "method": {"kind": "heads", "keep": 0.5}}
    Prune.model_validate(said).run(here)
    assert (here.out / "structure.json").is_file()
    return here, tiny_artifact("Checkpoint", here.out)


def test_the_base_may_be_a_pruned_model_of_an_earlier_stage(tmp_path: Path) -> None:
    before, base = pruned(tmp_path)
    other = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "other", 96, 2))
    here = TinyWorkspace(tmp_path / "out", {"other": other, "pruned": base}, seed=1)
    step(tmp_path, data="other", base={"stage": "pruned"}, training={"steps": 2}).run(here)
    facts = ModelManifest.read(here.out)
    assert (facts.base, facts.base_digest, facts.labels) == (str(base.path), base.digest, tiny_labels(2))
    assert [one.step for one in facts.lineage] == ["prune", "finetune_lora"]
    delta = tiny_artifact("LoraDelta", here.out)
    assert here.base_of(delta) == base.path  # type: ignore[arg-type]
    merged = TinyWorkspace(tmp_path / "merged", {"other": other, "delta": delta})
    MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "delta"}).run(merged)
    assert (merged.out / "structure.json").read_text() == (before.out / "structure.json").read_text()
    assert ModelManifest.read(merged.out).base == "tiny"


def test_what_the_store_writes_beside_a_base_is_no_other_base_and_it_may_move(tmp_path: Path) -> None:
    _, base = pruned(tmp_path / "old")
    artifacts = {"news": tiny_artifact("Dataset", tmp_path / "old" / "news"), "pruned": base}
    here = TinyWorkspace(tmp_path / "old" / "out", artifacts, seed=1)
    step(tmp_path, base={"stage": "pruned"}, training={"steps": 1}).run(here)
    (base.path / "record.json").write_text("{}")
    assert Bases().of(LoraDelta(here.out, "")) == base.path
    (tmp_path / "old").rename(tmp_path / "new")
    assert Bases().of(LoraDelta(tmp_path / "new" / "out", "")) == tmp_path / "new" / "pruned"
    (tmp_path / "new" / "pruned" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="is gone: put it back"):
        Bases().of(LoraDelta(tmp_path / "new" / "out", ""))
