import pytest

from compress.data.class_folders import folder_part
from compress.errors import DataError
from tests.data.reading import everything


def test_the_folder_is_the_label_and_order_is_by_name(tmp_path):
    for name, content in (("b/2.txt", "two"), ("b/1.txt", "one"), ("a/9.txt", "niné"), ("a/notes.md", "no")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = everything(folder_part(tmp_path))
    assert [(r.texts[0], r.label, r.place) for r in found] == [
        ("niné", "a", "a/9.txt"),
        ("one", "b", "b/1.txt"),
        ("two", "b", "b/2.txt"),
    ]


def test_an_encoding_is_needed_for_latin_1(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.txt").write_bytes(b"one\ncaf\xe9")
    with pytest.raises(DataError, match=r"1.txt: byte 7 \(line 2\) is 0xe9"):
        everything(folder_part(tmp_path))
    assert everything(folder_part(tmp_path, encoding="latin-1"))[0].texts == ("one\ncafé",)


def test_a_folder_without_classes_is_refused(tmp_path):
    (tmp_path / "1.txt").write_text("x")
    with pytest.raises(DataError, match=r"has no CLASS/\*.txt"):
        everything(folder_part(tmp_path))
