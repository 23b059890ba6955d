import json

import pytest
from tokenizers import Tokenizer

from compress.errors import ExportError
from compress.exporting.folder import copy_beside, write_bundle
from tests.tiny import FAMILIES, tiny_onnx, tiny_tokenizer

PADDING = {"bert": ("[PAD]", 0), "distilbert": ("[PAD]", 0), "roberta": ("<pad>", 1), "mpnet": ("<pad>", 1)}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bundle_says_how_to_read_texts(tmp_path, family):
    source, target = tiny_onnx(tmp_path / "onnx", family), tmp_path / "bundle"
    target.mkdir()
    sizes = write_bundle(source, target, task="text-classification", max_length=24)
    config = json.loads((target / "config.json").read_text())
    token, number = PADDING[family]
    assert config["padding"] == {"pad_token": token, "pad_id": number}
    assert (config["task"], config["max_length"], config["model_type"]) == ("text-classification", 24, family)
    assert config["id2label"] == {"0": "class_0", "1": "class_1", "2": "class_2"}
    assert config["label2id"] == {"class_0": 0, "class_1": 1, "class_2": 2}
    assert {path.name for path in target.iterdir()} == set(sizes) == {"model.onnx", "tokenizer.json", "config.json"}


def test_the_tokenizer_is_written_small_and_without_its_last_use(tmp_path):
    source, target = tiny_onnx(tmp_path / "onnx"), tmp_path / "bundle"
    target.mkdir()
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(source / "tokenizer.json"))
    write_bundle(source, target, task="text-classification", max_length=24)
    assert (target / "tokenizer.json").stat().st_size < (source / "tokenizer.json").stat().st_size
    made = Tokenizer.from_file(str(target / "tokenizer.json"))
    assert made.truncation is None
    assert made.padding is None
    assert made.encode("goal match").ids == tiny_tokenizer()("goal match").input_ids


def test_a_folder_without_configuration_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match=r"has no config\.json: make the stage before this one again"):
        copy_beside(tmp_path, tmp_path / "out")
