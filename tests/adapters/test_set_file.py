"""The description of a set: written, read, and refused when it is not one."""

import json
import re

import pytest
from pydantic import ValidationError

from compress.adapters.set_file import LARGEST_BYTES, OwnHead, SetFile
from compress.errors import AdapterError
from tests.adapters.hand_made import LABELS, WIDTH, tiny_set_file


def test_what_is_written_is_read(tmp_path):
    said = tiny_set_file(own_head=OwnHead(task="text-classification", labels=LABELS, max_length=16))
    said.write(tmp_path)
    assert SetFile.read(tmp_path) == said
    assert [path.name for path in tmp_path.iterdir()] == ["adapter_set.json"]


def test_tables_have_max_rank_for_each_site_and_max_labels_at_the_end():
    assert tiny_set_file().shapes() == {
        "lora_a.0": (WIDTH, 8),
        "lora_b.0": (8, 3 * WIDTH),
        "head_weight.0": (WIDTH, WIDTH),
        "head_bias.0": (WIDTH,),
        "head_weight.1": (WIDTH, 5),
        "head_bias.1": (5,),
    }


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(AdapterError, match=r"is not an adapter set: it has no adapter_set.json; a set is what"):
        SetFile.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: Input should be 1"),
        ({"max_rank": 0}, "max_rank: Input should be greater"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"head": []}, "head: Tuple should have at least 1 item"),
    ],
)
def test_a_changed_description_is_refused(tmp_path, change, message):
    said = tiny_set_file().model_dump(mode="json")
    (tmp_path / "adapter_set.json").write_text(json.dumps({**said, **change}))
    with pytest.raises(AdapterError, match=re.escape(message)):
        SetFile.read(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, '{"max_rank": NaN}', "\0", "\xff"])
def test_what_is_not_json_is_refused(tmp_path, content):
    (tmp_path / "adapter_set.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(AdapterError, match="is not the description of a set"):
        SetFile.read(tmp_path)


def test_a_huge_description_is_not_read(tmp_path):
    with (tmp_path / "adapter_set.json").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(AdapterError, match="more than 16,777,216 bytes"):
        SetFile.read(tmp_path)


def test_a_site_ends_inside_its_group():
    group = tiny_set_file().groups[0].model_dump()
    with pytest.raises(ValidationError, match=r"bert\.layer\.0\.value ends beyond the 17 columns"):
        tiny_set_file(groups=({**group, "outputs": 3 * WIDTH - 1},))


def test_only_the_last_layer_of_the_head_ends_in_labels():
    first, last = tiny_set_file().head
    with pytest.raises(ValidationError, match="the last layer of the head, and no other"):
        tiny_set_file(head=(last, first))


def test_a_module_is_named_once():
    group = tiny_set_file().groups[0]
    with pytest.raises(ValidationError, match=r"bert\.layer\.0\.query is named twice"):
        tiny_set_file(groups=(group, group))
