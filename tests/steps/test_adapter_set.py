"""`adapter_set`: deltas and a base in, one folder out that answers as each delta does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from compress.adapters.set_folder import AdapterSetFolder
from compress.chain.manifest import SetManifest
from compress.errors import AdapterError, ExportError
from compress.exporting.adapters import onnx_adapter
from compress.inference.adapter_predictor import open_adapter
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.steps.adapter_set import AdapterSet
from compress.steps.export_onnx import ExportOnnx
from compress.steps.finetune import Finetune
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.quantize import Quantize
from tests.exporting.adapters.test_ort_lora import opened
from tests.exporting.adapters.test_ort_lora import run as run_with
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_base, tiny_dataset_folder, tiny_texts

PER_TOKEN = {"kind": "dynamic_int8", "per_token": True}
QUICK = {"steps": 6, "learning_rate": 1e-2, "batch_size": 8}


def lora(folder: Path, name: str, **fields: Any) -> FinetuneLora:
    said = {"name": name, "step": "finetune_lora", "data": "news", "base": "base", "max_length": 32, "training": QUICK}
    return FinetuneLora.model_validate({**said, **fields}, context={"folder": folder})


def step(deltas: dict[str, str] | None = None, **fields: Any) -> AdapterSet:
    both = {"news": "news_delta", "other": "other_delta"}
    said = {"name": "set", "step": "adapter_set", "deltas": both if deltas is None else deltas}
    return AdapterSet.model_validate({**said, **fields})


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory) -> dict[str, Any]:
    """Two deltas of other ranks and numbers of labels on one base, and a checkpoint with a head on that base."""
    folder = tmp_path_factory.mktemp("deltas")
    tiny_base(folder / "base")
    made = {
        "news": tiny_artifact("Dataset", tiny_dataset_folder(folder / "news")),
        "more": tiny_artifact("Dataset", tiny_dataset_folder(folder / "more", classes=5, seed=3)),
        "pairs": tiny_artifact("Dataset", tiny_dataset_folder(folder / "pairs", pairs=True)),
    }
    head = Finetune.model_validate(
        {"name": "headed", "step": "finetune", "data": "news", "base": "base", "max_length": 32,
         "strategy": {"kind": "head_only"}, "training": QUICK}, context={"folder": folder}
    )  # fmt: skip
    for one, kind in (
        (lora(folder, "news_delta", rank=4), "LoraDelta"),
        (lora(folder, "other_delta", data="more", rank=8, targets=["query", "key", "value"]), "LoraDelta"),
        (head, "Checkpoint"),
        (lora(folder, "of_pairs", data="pairs", rank=2), "LoraDelta"),
        (lora(folder, "on_headed", data="more", base={"stage": "headed"}, rank=2), "LoraDelta"),
    ):
        made[one.name] = tiny_artifact(kind, one.run(TinyWorkspace(folder / one.name, made)).path)
    return made


def logits(predictor: Any, folder: Path, texts: list[str]) -> Any:
    return predictor.predict(TextEncoder.load(folder, max_length=32).encode(texts))["logits"]


@pytest.fixture(scope="module")
def made(artifacts, tmp_path_factory) -> Any:
    return step().run(TinyWorkspace(tmp_path_factory.mktemp("set") / "out", artifacts))


def test_every_adapter_answers_as_peft_runs_its_delta(artifacts, made):
    texts = tiny_texts(12, seed=9)[0]
    for name, stage in (("news", "news_delta"), ("other", "other_delta")):
        delta = artifacts[stage]
        base = TinyWorkspace(made.path.parent / "unused", artifacts).base_of(delta)
        theirs = logits(open_torch(delta.path, threads=1, base_folder=base), delta.path, texts)
        ours = logits(open_adapter(made.path, name, threads=1), made.path / "base", texts)
        assert ours.shape == theirs.shape == (12, len(delta.manifest.labels))
        assert np.abs(ours - theirs).max() < 2e-5


def test_the_folder_is_a_set_and_says_what_it_holds(artifacts, made):
    folder, manifest = AdapterSetFolder(made.path), SetManifest.read(made.path)
    assert {path.name for path in made.path.iterdir()} == {"adapter_set.json", "adapters", "base", "manifest.json"}
    assert folder.names() == ("news", "other")
    assert (folder.set_file.max_rank, folder.set_file.max_labels, folder.set_file.own_head) == (8, 5, None)
    assert folder.set_file.base.digest == artifacts["news_delta"].manifest.base_digest
    assert manifest.adapters["other"].labels == artifacts["other_delta"].manifest.labels
    assert manifest.adapters["news"].delta == artifacts["news_delta"].digest
    assert manifest.details["parity"]["largest_difference"] < 2e-5
    assert "id2label" not in json.loads((made.path / "base" / "config.json").read_text())
    assert str(made.path.parent) not in (made.path / "adapter_set.json").read_text()


def test_a_base_stage_with_a_head_answers_by_itself_in_slot_0(artifacts, tmp_path):
    from compress.adapters.own_head import read_zero
    from compress.adapters.tables import Tables
    from compress.inference.adapter_predictor import open_adapter_session

    made = step(base="headed").run(TinyWorkspace(tmp_path / "out", artifacts))
    texts, set_file = tiny_texts(6, seed=5)[0], AdapterSetFolder(made.path).set_file
    batch = TextEncoder.load(made.path / "base", max_length=32).encode(texts)
    tables = Tables(set_file, 2, zero=read_zero(made.path, set_file))
    ours = open_adapter_session(made.path, threads=1).predict(batch, np.zeros(6, np.int64), tables)[:, :3]
    theirs = open_torch(artifacts["headed"].path, threads=1).predict(batch)["logits"]
    assert np.abs(ours - theirs).max() < 2e-5


def test_a_scheme_quantizes_the_base_and_rows_stay_independent(artifacts, made, tmp_path):
    small = step(scheme=PER_TOKEN).run(TinyWorkspace(tmp_path / "out", artifacts))
    assert (small.path / "base/model.onnx").stat().st_size < (made.path / "base/model.onnx").stat().st_size / 2
    manifest = SetManifest.read(small.path)
    assert manifest.batch_invariant
    assert AdapterSetFolder(small.path).set_file.base.scheme["kind"] == "dynamic_int8"
    texts = tiny_texts(8, seed=2)[0]
    predictor = open_adapter(small.path, "other", threads=1)
    together = logits(predictor, small.path / "base", texts)
    alone = np.concatenate([logits(predictor, small.path / "base", [text]) for text in texts])
    assert np.array_equal(together, alone)


def test_a_quantized_stage_may_be_the_base(artifacts, tmp_path):
    def run(one: Any, kind: str) -> Any:
        return tiny_artifact(kind, one.run(TinyWorkspace(tmp_path / one.name, known)).path)

    known = dict(artifacts)
    known["onnx"] = run(
        ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "headed"}), "OnnxModel"
    )
    quantize = Quantize.model_validate({"name": "int8", "step": "quantize", "model": "onnx", "scheme": PER_TOKEN})
    known["int8"] = run(quantize, "OnnxModel")
    made = step(base="int8").run(TinyWorkspace(tmp_path / "out", known))
    set_file = AdapterSetFolder(made.path).set_file
    assert set_file.own_head.labels == artifacts["headed"].manifest.labels
    assert set_file.base.scheme["per_token"] is True


def test_the_key_decides_all_that_is_written_down_about_a_set(artifacts, made, tmp_path):
    """A stage's name is no part of its key: a set that was reused would say the old one."""
    renamed = step(name="renamed").run(TinyWorkspace(tmp_path / "out", artifacts))
    assert (renamed.path / "adapter_set.json").read_bytes() == (made.path / "adapter_set.json").read_bytes()
    assert "renamed" not in (renamed.path / "manifest.json").read_text()


@pytest.mark.parametrize("fields", [{}, {"base": "headed"}], ids=["its base", "its base with its head"])
def test_deltas_on_a_model_of_an_earlier_stage_are_put_on_that_one(artifacts, tmp_path, fields):
    made = step({"x": "on_headed"}, **fields).run(TinyWorkspace(tmp_path / "out", artifacts))
    set_file, delta = AdapterSetFolder(made.path).set_file, artifacts["on_headed"]
    assert set_file.base.digest == artifacts["headed"].digest
    assert (set_file.title, set_file.base.title, SetManifest.read(made.path).base) == ("base", "base", "base")
    assert (set_file.own_head is None) == (not fields)
    texts = tiny_texts(6, seed=4)[0]
    theirs = logits(open_torch(delta.path, threads=1, base_folder=artifacts["headed"].path), delta.path, texts)
    assert np.abs(logits(open_adapter(made.path, "x", threads=1), made.path / "base", texts) - theirs).max() < 2e-5


@pytest.mark.parametrize("scheme", [None, PER_TOKEN], ids=["float", "int8"])
def test_onnxruntimes_own_adapters_answer_as_the_set_does(artifacts, tmp_path, scheme):
    made = step(ort_lora=True, scheme=scheme).run(TinyWorkspace(tmp_path / "out", artifacts))
    session = opened(made.path / "base" / "model_ort_lora.onnx")
    assert {path.name for path in (made.path / "base").iterdir()} >= {"model.onnx", "model.onnx.data"}
    batch = TextEncoder.load(made.path / "base", max_length=32).encode(tiny_texts(9, seed=6)[0])
    for name, labels in (("news", 3), ("other", 5)):
        ours = open_adapter(made.path, name, threads=1).predict(batch)["logits"]
        answered = run_with(session, batch, made.path / "adapters" / name / "1" / "adapter.onnx_adapter")
        assert answered.shape == (9, 5)
        assert np.abs(answered[:, :labels] - ours).max() < 1e-5
    assert SetManifest.read(made.path).details["ort_lora"]["largest_difference"] < 1e-5


def test_without_ort_lora_a_version_has_the_three_files_of_peft(made):
    assert not (made.path / "base" / "model_ort_lora.onnx").exists()
    assert {path.name for path in (made.path / "adapters/news/1").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "manifest.json",
    }  # fmt: skip


def test_an_adapter_that_onnxruntime_runs_otherwise_fails_the_stage(artifacts, tmp_path, monkeypatch):
    """Left out by mistake, a table is zero without a word of onnxruntime's."""
    pack = onnx_adapter.pack
    monkeypatch.setattr(onnx_adapter, "pack", lambda *of: {**pack(*of), "lora_b.0": 0 * pack(*of)["lora_b.0"]})
    with pytest.raises(ExportError, match=r"'news' run by onnxruntime's LoraAdapter answers .* leave `ort_lora` out"):
        step(ort_lora=True).run(TinyWorkspace(tmp_path / "out", artifacts))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_rank": 6}, "max_rank 6 is below the 8 of adapter 'other': raise it, or leave it out"),
        ({"max_labels": 3}, "max_labels 3 is below the 5 of adapter 'other'"),
    ],
)
def test_a_delta_that_asks_for_more_than_the_set_takes_is_refused(artifacts, tmp_path, fields, message):
    with pytest.raises(AdapterError, match=message):
        step(**fields).run(TinyWorkspace(tmp_path / "out", artifacts))


def test_deltas_on_other_bases_are_refused_by_content(artifacts, tmp_path):
    tiny_base(tmp_path / "base", seed=5)
    other = lora(tmp_path, "stranger", rank=4).run(TinyWorkspace(tmp_path / "stranger", artifacts))
    known = {**artifacts, "stranger": tiny_artifact("LoraDelta", other.path)}
    with pytest.raises(AdapterError, match=r"adapter 'b' was trained on base \w+ .*'a' on \w+ .*a set has one base"):
        step({"a": "news_delta", "b": "stranger"}).run(TinyWorkspace(tmp_path / "out", known))
    with pytest.raises(AdapterError, match="leave base out, or train the delta on that model"):
        step({"b": "stranger"}, base="headed").run(TinyWorkspace(tmp_path / "out2", known))


@pytest.mark.parametrize("graph", ["lean", "plain"])
def test_pairs_on_a_graph_that_cannot_tell_their_texts_apart_are_refused(artifacts, tmp_path, graph):
    export = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "headed", "graph": graph})
    made = export.run(TinyWorkspace(tmp_path / "onnx", artifacts))
    here = TinyWorkspace(tmp_path / "out", {**artifacts, "onnx": tiny_artifact("OnnxModel", made.path)})
    it = step({"x": "of_pairs"}, base="onnx")
    if graph == "plain":
        assert AdapterSetFolder(it.run(here).path).names() == ("x",)
        return
    with pytest.raises(AdapterError, match=r"reads pairs of texts, .* leave base out, or export it with `graph: pla"):
        it.run(here)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"deltas": {}}, "at least 1 item"),
        ({"deltas": {"../news": "delta"}}, "cannot name an adapter"),
        ({"deltas": {"a" * 65: "delta"}}, "cannot name an adapter"),
        ({"scheme": {"kind": "dynamic_int8"}}, r"beside it: write `scheme: \{kind: dynamic_int8, per_token: true\}`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything(fields, message):
    with pytest.raises(ValidationError, match=message):
        step(**fields)
