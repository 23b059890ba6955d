import json

import pytest

from compress.errors import ConfigurationError
from compress.inference.bundle_config import BundleConfig, read_bundle_config

GOOD = {"task": "text-classification", "max_length": 32, "id2label": {"1": "b", "0": "a"}}


@pytest.fixture
def folder(tmp_path):
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_text("x")
    (tmp_path / "config.json").write_text(json.dumps(GOOD))
    return tmp_path


def test_reads_labels_in_the_order_of_the_logits(folder):
    assert read_bundle_config(folder) == BundleConfig("text-classification", ("a", "b"), 32)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("task", "poetry", "task is 'poetry', this version knows text-classification"),
        ("max_length", 0, "max_length is 0"),
        ("max_length", 10**9, "max_length is 1000000000"),
        ("max_length", True, "max_length is True"),
        ("id2label", {"1": "b"}, "must name the outputs 0, 1"),
        ("id2label", {}, "must name the outputs"),
        ("id2label", ["a"], "must name the outputs"),
    ],
)
def test_what_is_wrong_is_said(folder, key, value, message):
    (folder / "config.json").write_text(json.dumps({**GOOD, key: value}))
    with pytest.raises(ConfigurationError, match=message):
        read_bundle_config(folder)


def test_a_checkpoint_is_not_a_bundle(folder):
    (folder / "config.json").write_text('{"id2label": {"0": "a"}}')
    with pytest.raises(ConfigurationError, match=r"is not a bundle: its config\.json does not say task, max_length"):
        read_bundle_config(folder)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_config_that_is_no_object_says_so(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"is not JSON|holds a list, not an object"):
        read_bundle_config(folder)


def test_missing_files_are_all_named(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"has no config\.json, no tokenizer\.json, no model\.onnx; a bundle is"
    ):
        read_bundle_config(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "a\0b"])
def test_no_folder_says_so(tmp_path, name):
    with pytest.raises(ConfigurationError, match="is not a folder"):
        read_bundle_config(tmp_path / name)


def test_absurd_sizes_are_refused_before_they_are_read(folder):
    with (folder / "config.json").open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(ConfigurationError, match="has 17,825,792 bytes, a bundle's has 1 to"):
        read_bundle_config(folder)
    (folder / "config.json").write_text("")
    with pytest.raises(ConfigurationError, match="has 0 bytes"):
        read_bundle_config(folder)
