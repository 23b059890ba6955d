import json
import os
import time

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from benchmarks.serving_parts.deltas import name_of, write_delta
from benchmarks.serving_parts.merged_backend import MergedBackend
from benchmarks.serving_parts.merging import find_places, merge
from benchmarks.serving_parts.servers import folder_mb, free_port, is_ready, memory_of
from benchmarks.serving_parts.texts import one_token_words, texts_of_lengths
from compress.adapters.peft_folder import read_delta
from compress.inference.predictor import LOGITS
from compress.inference.text_encoder import TextEncoder
from compress.serving.backend import UnknownModel, UnknownVersion
from tests.tiny import tiny_tokenizer

SITES = {"encoder.query": (4, 4), "encoder.value": (4, 4)}


def draw(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def packed_graph(query, key, value, head, bias):
    """x · [query | key | value]ᵀ, then the sum of the three, then the head: as a lean graph packs its products."""
    tensors = {
        "packed": np.concatenate([query.T, key.T, value.T], axis=1),
        "head": head,
        "bias": bias,
        "split": np.array([4, 4, 4]),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "packed"], ["qkv"]),
        helper.make_node("Split", ["qkv", "split"], ["q", "k", "v"], axis=1),
        helper.make_node("Sum", ["q", "k", "v"], ["sum"]),
        helper.make_node("Gemm", ["sum", "head", "bias"], [LOGITS], transB=1),
    ]
    floats = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in (("x", 4), (LOGITS, 5))
    ]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "packed", floats[:1], floats[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def base_weights():
    return {
        "encoder.query.weight": draw(4, 4, seed=1), "encoder.value.weight": draw(4, 4, seed=3),
        "classifier.weight": draw(5, 4, seed=4), "classifier.bias": draw(5, seed=5),
    }  # fmt: skip


def test_a_merged_graph_answers_as_the_formula_says(tmp_path):
    base, key, x = base_weights(), draw(4, 4, seed=2), draw(3, 4, seed=9)
    model = packed_graph(
        base["encoder.query.weight"],
        key,
        base["encoder.value.weight"],
        base["classifier.weight"],
        base["classifier.bias"],
    )
    delta = read_delta(write_delta(tmp_path / "delta", SITES, hidden=4, max_length=8, digest="0" * 64, seed=7))
    merge(model, find_places(model, base), base, delta)
    (found,) = ReferenceEvaluator(model).run(None, {"x": x})
    changed = {name: base[f"{name}.weight"] + 16 / 8 * delta.updates[name].b @ delta.updates[name].a for name in SITES}
    total = x @ (changed["encoder.query"] + key + changed["encoder.value"]).T
    head = delta.head["classifier"]
    assert found == pytest.approx(total @ head.weight.T + head.bias, abs=1e-5)


def test_a_weight_that_is_not_in_the_graph_is_named():
    base = base_weights()
    model = packed_graph(
        *(draw(4, 4, seed=seed) for seed in (1, 2, 3)), base["classifier.weight"], base["classifier.bias"]
    )
    with pytest.raises(ValueError, match=r"elsewhere\.weight is in 0 places"):
        find_places(model, {"elsewhere.weight": draw(4, 4, seed=99)})


def test_a_weight_that_is_there_twice_is_refused():
    same = draw(4, 4, seed=1)
    model = packed_graph(same, same, draw(4, 4, seed=3), draw(5, 4, seed=4), draw(5, seed=5))
    with pytest.raises(ValueError, match=r"query\.weight is in 2 places"):
        find_places(model, {"query.weight": same})


def test_a_random_delta_is_one_that_a_set_takes(tmp_path):
    delta = read_delta(write_delta(tmp_path / "delta", SITES, hidden=4, max_length=8, digest="0" * 64, seed=7))
    assert (delta.rank, delta.updates["encoder.query"].scale) == (8, 2.0)
    assert len(delta.facts.labels) == 5
    other = read_delta(write_delta(tmp_path / "other", SITES, hidden=4, max_length=8, digest="0" * 64, seed=8))
    assert not np.array_equal(delta.updates["encoder.query"].a, other.updates["encoder.query"].a)


@pytest.fixture
def tokenizer_folder(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 200, "type_vocab_size": 2}))
    return tmp_path


def test_texts_have_exactly_the_tokens_that_were_asked_for(tokenizer_folder):
    lengths = [3, 4, 17, 48]
    texts = texts_of_lengths(one_token_words(tokenizer_folder), lengths, seed=0)
    assert TextEncoder.load(tokenizer_folder, max_length=64).lengths(texts).tolist() == lengths


class Constant:
    """A model that answers its own number and notes its batches; slow, so that requests gather."""

    def __init__(self, number, batches):
        self.number, self.batches = number, batches

    def predict(self, batch):
        self.batches.append((self.number, len(batch["input_ids"])))
        time.sleep(0.01)
        return {LOGITS: np.full((len(batch["input_ids"]), 5), self.number, np.float32)}


@pytest.fixture
def merged(tokenizer_folder):
    names, batches = [name_of(number) for number in range(3)], []
    for name in names:
        write_delta(tokenizer_folder / name, SITES, hidden=4, max_length=32, digest="0" * 64, seed=1)
    backend = MergedBackend(tokenizer_folder, {name: Constant(at, batches) for at, name in enumerate(names)})
    yield backend, batches
    backend.stop()


def test_each_row_is_answered_by_its_own_model_and_no_batch_mixes_them(merged):
    backend, batches = merged
    facts = [backend.find(name_of(number % 3)) for number in range(60)]
    futures = [
        backend.submit(one, [backend.encode(one, "goal match team")], deadline=time.monotonic() + 30) for one in facts
    ]
    for number, future in enumerate(futures):
        assert future.result(30)[0].tolist() == [number % 3] * 5
    assert sum(rows for _, rows in batches) == 60
    assert max(rows for _, rows in batches) > 1  # rows of one model do share a batch


def test_other_names_and_versions_are_refused_as_a_set_does(merged):
    backend, _ = merged
    with pytest.raises(UnknownModel):
        backend.find("news")
    with pytest.raises(UnknownVersion):
        backend.find("a0000", "2")
    assert [facts.name for facts in backend.models()] == ["a0000", "a0001", "a0002"]


def test_memory_is_what_the_system_says():
    own = memory_of(os.getpid())
    assert own.rss_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.05)
    assert 0 < own.pss_mb <= own.rss_mb


def test_a_folder_counts_all_its_files(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one").write_bytes(bytes(1_500_000))
    (tmp_path / "two").write_bytes(bytes(500_000))
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert folder_mb(tmp_path) == pytest.approx(2.0)


def test_a_port_where_nobody_listens_is_not_ready():
    assert not is_ready(free_port())


def test_a_graph_in_a_file_keeps_its_places(tmp_path):
    base = base_weights()
    model = packed_graph(
        base["encoder.query.weight"], draw(4, 4, seed=2), base["encoder.value.weight"], base["classifier.weight"],
        base["classifier.bias"],
    )  # fmt: skip
    onnx.save(model, tmp_path / "model.onnx")
    places = find_places(onnx.load(tmp_path / "model.onnx"), base)
    assert places["encoder.value.weight"].columns == slice(8, 12)
    assert places["encoder.value.weight"].transposed
    assert not places["classifier.weight"].transposed
