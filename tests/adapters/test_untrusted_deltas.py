"""A delta may come from anywhere: whatever is wrong with it is a message, never a crash, never a wrong adapter."""

import json
import re
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compress.adapters.peft_folder import _is_saved, read_delta
from compress.errors import AdapterError
from tests.adapters.hand_made import QUERY, VALUE, tiny_delta, tiny_tensors

WEIGHTS = "adapter_model.safetensors"
UPDATE = f"base_model.model.{QUERY}.lora_B.weight"


def refused(folder: Path) -> str:
    with pytest.raises(AdapterError) as caught:
        read_delta(folder)
    assert len(str(caught.value)) < 2000
    return str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3', a set serves LORA only"),
        ({"peft_type": "ADALORA"}, "peft_type is 'ADALORA'"),
        ({"peft_type": None}, "peft_type is 'None'"),
        ({"peft_type": ["LORA"]}, "a set serves LORA only"),
        ({"use_dora": True}, "DoRA also rescales"),
        ({"bias": "all"}, "biases of the base were trained too"),
        ({"bias": None}, "bias is 'None'"),
        ({"use_something_new": True}, "'use_something_new' is 'True', and only plain LoRA can be served: this version"),
        ({"layer_replication": [[0, 1]]}, "it repeats layers of the base"),
        ({"init_lora_weights": "loftq"}, "init_lora_weights is 'loftq'"),
        ({"init_lora_weights": {"a": 1}}, "which changes the base's own weights"),
        ({"r": 0}, "r: Input should be greater than or equal to 1"),
        ({"r": "many"}, "r: Input should be a valid integer"),
        ({"lora_alpha": float("nan")}, "lora_alpha: Input should be a finite number"),
        ({"lora_alpha": float("inf")}, "lora_alpha: Input should be"),
        ({"lora_alpha": -1}, "lora_alpha: Input should be greater than 0"),
        ({"rank_pattern": {"query": -1}}, "rank_pattern.query: Input should be greater"),
        ({"rank_pattern": {"(query": 2}}, "rank_pattern: '(query' is not a regular expression"),
        ({"alpha_pattern": {"(.*)*x": 2}}, "alpha_pattern: '(.*)*x' may take too long to match"),
        ({"alpha_pattern": {".*.*.*.*.*x": 2}}, "may take too long"),
        ({"alpha_pattern": {"a" * 513: 2}}, "may take too long"),
        ({"r": 3}, "lora_A (2, 6) and lora_B (6, 2), adapter_config.json says rank 3"),
        ({"rank_pattern": {"query": 1}}, f"{QUERY} has lora_A (2, 6) and lora_B (6, 2), adapter_config.json says rank"),
        ({"modules_to_save": None}, "is neither a LoRA update of a linear layer nor part of modules_to_save (none)"),
        ({"modules_to_save": ["lassifier"]}, "nor part of modules_to_save (lassifier)"),
    ],
)
def test_a_configuration_that_is_not_plain_lora_is_refused(tmp_path, config, message):
    assert message in refused(tiny_delta(tmp_path, config=config))


def test_patterns_that_would_take_long_with_so_many_layers_are_refused_before_they_are_matched(tmp_path):
    deep = ".".join(["layer"] * 80)
    tensors = {f"base_model.model.{deep}.{number}.lora_A.weight": np.ones((2, 2), np.float32) for number in range(50)}
    tensors |= {name.replace("lora_A", "lora_B"): values for name, values in tensors.items()}
    config = {"rank_pattern": {"layer.*layer.*" + "layer." * 20 + "x": 2}}
    message = refused(tiny_delta(tmp_path, tensors=tensors, config=config))
    assert "adapter_config.json: rank_pattern: 1 patterns may take too long to match with 50 layers" in message


@pytest.mark.parametrize(
    ("saved", "is_saved"),
    [
        ("classifier", True),
        ("dense", True),
        ("classifier.dense", True),
        ("lassifier", False),
        ("classifier.den", False),
    ],
)
def test_what_is_saved_goes_by_whole_parts_of_names(saved, is_saved):
    assert _is_saved("bert.classifier.dense", (saved,)) is is_saved


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000, '"LORA"', "\xff\xfe"])
@pytest.mark.parametrize("name", ["adapter_config.json", "manifest.json"])
def test_files_that_are_not_json_objects_are_refused(tmp_path, name, content):
    (tiny_delta(tmp_path) / name).write_bytes(content.encode("latin-1"))
    assert name in refused(tmp_path)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"kind": "Checkpoint"}, "kind: Input should be 'LoraDelta'"),
        ({"task": "translation"}, "task: Input should be 'text-classification'"),
        ({"labels": []}, "labels: Tuple should have at least 1 item"),
        ({"labels": ["a", "a", "b"]}, "labels: Value error, a label is named twice"),
        ({"labels": [1, 2, 3]}, "labels.0: Input should be a valid string"),
        ({"labels": ["a"]}, "text-classification does not go with 1 label(s)"),
        ({"task": "text-regression"}, "text-regression does not go with 3 label(s)"),
        ({"max_length": 0}, "max_length: Input should be greater"),
        ({"max_length": 1 << 40}, "max_length: Input should be less"),
        ({"base_digest": ""}, "base_digest: String should have at least 1"),
    ],
)
def test_a_manifest_that_says_nonsense_is_refused(tmp_path, manifest, message):
    assert message in refused(tiny_delta(tmp_path, manifest=manifest))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adapter_config.json", "is not a PEFT folder: it has no adapter_config.json"),
        ("manifest.json", "has no manifest.json, which says task and labels; a delta is what the step `finetune_lora`"),
        (WEIGHTS, "has no adapter_model.safetensors: save_pretrained of peft makes one"),
    ],
)
def test_a_missing_file_is_said(tmp_path, name, message):
    (tiny_delta(tmp_path) / name).unlink()
    assert message in refused(tmp_path)
    (tmp_path / name).mkdir()
    assert message in refused(tmp_path), "a folder in its place is no file"


def test_a_folder_that_is_not_there_is_said(tmp_path):
    assert "is not a PEFT folder" in refused(tmp_path / "nothing")


def test_a_pickle_is_never_opened(tmp_path):
    (tiny_delta(tmp_path) / WEIGHTS).unlink()
    (tmp_path / "adapter_model.bin").write_bytes(b"cos\nsystem\n(S'touch pickled'\ntR.")
    assert "has its weights in adapter_model.bin, a pickle, which can run code" in refused(tmp_path)
    (tmp_path / "adapter_model.bin").rename(tmp_path / WEIGHTS)
    assert "is not a whole safetensors file" in refused(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [UPDATE, "base_model.model.classifier.dense.bias"])
def test_values_that_are_not_finite_are_refused(tmp_path, name, value):
    tensors = tiny_tensors()
    tensors[name].flat[-1] = value
    assert f"{name} holds values that are not finite numbers" in refused(tiny_delta(tmp_path, tensors=tensors))


def test_a_double_beyond_float32_is_refused(tmp_path):
    tensors = tiny_tensors()
    tensors[UPDATE] = np.full((6, 2), 1e300)
    assert "not finite" in refused(tiny_delta(tmp_path, tensors=tensors))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, bool])
def test_tensors_that_are_not_floats_are_refused(tmp_path, dtype):
    tensors = {**tiny_tensors(), UPDATE: np.ones((6, 2), dtype)}
    assert "needed are floats: F64, F32, F16, BF16" in refused(tiny_delta(tmp_path, tensors=tensors))


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.bert.embeddings.word_embeddings.weight",
        f"base_model.model.{QUERY}.lora_magnitude_vector",
        f"base_model.model.{QUERY}.lora_B.bias",
        f"base_model.model.{QUERY}.lora_embedding_A",
        f"{QUERY}.lora_A.weight",
        "base_model.model.../../etc/passwd",
        "",
        "x" * 100_000,
        f"base_model.model.{'x' * 600}.lora_A.weight",
        "\u202e\0",
    ],
)
def test_unknown_tensors_are_refused(tmp_path, name):
    tensors = {**tiny_tensors(), name: np.ones((2, 2), np.float32)}
    assert "is neither a LoRA update" in refused(tiny_delta(tmp_path, tensors=tensors))


def test_half_an_update_is_refused(tmp_path):
    tensors = {name: values for name, values in tiny_tensors().items() if name != UPDATE}
    assert f"{QUERY} has lora_A only" in refused(tiny_delta(tmp_path, tensors=tensors))


def test_a_delta_without_updates_is_refused(tmp_path):
    tensors = {name: values for name, values in tiny_tensors().items() if "lora" not in name}
    assert "holds no LoRA update" in refused(tiny_delta(tmp_path, tensors=tensors))


@pytest.mark.parametrize("shape", [(2,), (2, 6, 1), (2, 0), (0, 6)])
def test_updates_of_other_shapes_are_refused(tmp_path, shape):
    tensors = {**tiny_tensors(), f"base_model.model.{VALUE}.lora_A.weight": np.ones(shape, np.float32)}
    assert f"{VALUE} has lora_A {shape}" in refused(tiny_delta(tmp_path, tensors=tensors))


@pytest.mark.parametrize(
    "changes",
    [
        {"classifier.norm.weight": np.ones(6, np.float32), "classifier.norm.bias": np.ones(6, np.float32)},
        {"classifier.conv.weight": np.ones((6, 6, 3), np.float32), "classifier.conv.bias": np.ones(6, np.float32)},
        {"classifier.dense.bias": np.ones(5, np.float32)},
        {"classifier.words.weight": np.ones((6, 6), np.float32)},
        {"classifier.words.bias": np.ones(6, np.float32)},
    ],
)
def test_saved_modules_that_are_not_linear_layers_are_refused(tmp_path, changes):
    tensors = {**tiny_tensors(), **{f"base_model.model.{name}": values for name, values in changes.items()}}
    message = refused(tiny_delta(tmp_path, tensors=tensors))
    assert re.search(r"classifier\.\w+, of modules_to_save, has .*only linear layers with weight", message)


def whole_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return (tiny_delta(Path(folder)) / WEIGHTS).read_bytes()


WHOLE = whole_file()
HEADER = struct.unpack("<Q", WHOLE[:8])[0]


@given(st.integers(min_value=0, max_value=len(WHOLE) - 1))
@example(0)
@example(8)
@example(8 + HEADER)
@settings(deadline=None)
def test_a_file_cut_at_any_byte_is_refused(length):
    with tempfile.TemporaryDirectory() as name:
        (tiny_delta(Path(name)) / WEIGHTS).write_bytes(WHOLE[:length])
        assert "is not a whole safetensors file" in refused(Path(name))


@given(st.integers(min_value=0, max_value=HEADER + 7), st.integers(min_value=0, max_value=255))
@settings(deadline=None)
def test_a_changed_byte_of_the_header_is_refused_or_changes_nothing_that_is_used(place, byte):
    changed = WHOLE[:place] + bytes([byte]) + WHOLE[place + 1 :]
    with tempfile.TemporaryDirectory() as name:
        (tiny_delta(Path(name)) / WEIGHTS).write_bytes(changed)
        try:
            delta = read_delta(Path(name))
        except AdapterError:
            return
    assert all(update.a.shape == (2, 6) for update in delta.updates.values())


@pytest.mark.parametrize("length", [10 * 10**9, 2**63, 2**64 - 1, len(WHOLE)])
def test_a_header_of_impossible_length_is_refused_at_once(tmp_path, length):
    (tiny_delta(tmp_path) / WEIGHTS).write_bytes(struct.pack("<Q", length) + WHOLE[8:])
    assert "is not a whole safetensors file" in refused(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [6, 3]},
        {"shape": [1 << 62, 1 << 62]},
        {"shape": [-6, -2]},
        {"data_offsets": [0, 1 << 60]},
        {"data_offsets": [48, 0]},
        {"dtype": "F64"},
    ],
)
def test_a_header_that_lies_about_sizes_is_refused(tmp_path, change):
    said = json.loads(WHOLE[8 : 8 + HEADER])
    header = json.dumps({**said, UPDATE: {**said[UPDATE], **change}}).encode()
    (tiny_delta(tmp_path) / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + WHOLE[8 + HEADER :])
    assert "is not a whole safetensors file" in refused(tmp_path)


def test_bytes_after_the_end_are_refused(tmp_path):
    (tiny_delta(tmp_path) / WEIGHTS).write_bytes(WHOLE + b"\0")
    assert "is not a whole safetensors file" in refused(tmp_path)


@pytest.mark.parametrize("name", ["adapter_config.json", "manifest.json", WEIGHTS])
def test_a_huge_file_is_not_read(tmp_path, name, monkeypatch):
    monkeypatch.setattr("compress.adapters.tensors_file.LARGEST_BYTES", 1 << 20)  # not a gigabyte in a test
    with (tiny_delta(tmp_path) / name).open("r+b") as file:
        file.truncate(20 << 20)
    assert "which no usable file of this kind has" in refused(tmp_path)
