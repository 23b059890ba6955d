from pathlib import Path

import pytest

from compress.errors import CompressError, ConfigurationError, DataError
from compress.pipeline.predict_input import read_rows


def file_of(folder: Path, name: str, content: str | bytes) -> str:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder / name)


def test_a_field_of_many_characters_is_read(tmp_path):
    text = "goal " * 100_000
    source = file_of(tmp_path, "long.csv", f"id,text\n1,{text}\n")
    assert list(read_rows(source, ["text"])) == [{"id": "1", "text": text}]


def test_quoted_line_breaks_and_a_byte_order_mark_are_read(tmp_path):
    source = file_of(tmp_path, "in.csv", b'\xef\xbb\xbfid,text\r\n1,"one\r\ntwo"\r\n\r\n2,three\r\n')
    assert list(read_rows(source, ["text"])) == [{"id": "1", "text": "one\r\ntwo"}, {"id": "2", "text": "three"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "id,text\n1,goal, match\n", "in.csv:2: 3 fields where the header has 2"),
        ("in.csv", 'id,text\n1,"a\nb"\n2\n', "in.csv:4: 1 field where the header has 2"),
        ("in.csv", "text,text\na,b\n", "in.csv:1: the column 'text' is there twice"),
        ("in.csv", 'id,text\n1,"never closed\n', "in.csv:2: unexpected end of data"),
        ("in.csv", b"id,text\n1,ok\n2,caf\xe9\n", "in.csv:3: byte 6 is not UTF-8"),
        ("in.csv", f"text\n{'x' * 10_000_001}\n", "in.csv:2: field larger than field limit"),
        ("in.jsonl", b'{"text": "ok"}\n{"text": "caf\xe9"}\n', "in.jsonl:2: byte 14 is not UTF-8"),
        ("in.jsonl", '{"text": "ok"}\n{"text": null}\n', "in.jsonl:2: 'text' is empty (null)"),
        ("in.jsonl", '{"text": "ok"}\n{"texts": "x"}\n', "in.jsonl:2: there is no column 'text'; did you mean"),
        ("in.jsonl", '{"text": "ok"}\n["x"]\n', "in.jsonl:2: needs an object"),
        ("in.jsonl", "[" * 100_000, "in.jsonl:1: not JSON"),
        ("in.jsonl", '{"text": "ok"}\n{"text": "a \\ud800 b"}\n', r"in.jsonl:2: 'text' has \ud800, which is half of a"),
        ("in.jsonl", '{"text": "x", "more": [{"\\uDE00": 1}]}\n', r"in.jsonl:1: 'more' has \ude00, which is half of a"),
        ("in.jsonl", '{"text": "x", "\\udfff": 1}\n', r"in.jsonl:1: '\udfff' has \udfff, which is half of a"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_line(tmp_path, name, content, message):
    with pytest.raises(CompressError) as error:
        list(read_rows(file_of(tmp_path, name, content), ["text"]))
    assert message in str(error.value)


def test_both_halves_of_a_surrogate_pair_are_a_character(tmp_path):
    source = file_of(tmp_path, "in.jsonl", '{"text": "\\ud83d\\ude00"}\n{"text": "\\\\ud800 is written out"}\n')
    assert [row["text"] for row in read_rows(source, ["text"])] == ["\U0001f600", "\\ud800 is written out"]


def test_half_a_character_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"lone surrogate\): write both halves, such as \\ud83d\\ude00, or take it out"):
        list(read_rows(file_of(tmp_path, "in.jsonl", r'{"text": "\ud800"}'), ["text"]))


def test_a_folder_is_no_input(tmp_path):
    (tmp_path / "in.csv").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(read_rows(str(tmp_path / "in.csv"), ["text"]))


def of_standard_input(folder: Path, content: bytes):
    with (folder / file_of(folder, "stdin", content)).open() as file, pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", file)
        return list(read_rows("-", ["text"]))


def test_standard_input_is_utf_8_one_text_a_line(tmp_path):
    assert of_standard_input(tmp_path, "café\r\n\nend".encode()) == [{"text": "café"}, {"text": ""}, {"text": "end"}]


def test_standard_input_that_is_not_utf_8_is_refused_by_line(tmp_path):
    with pytest.raises(DataError, match="standard input:2: byte 4 is not UTF-8"):
        of_standard_input(tmp_path, b"ok\ncaf\xe9\n")


def test_standard_input_has_no_pairs():
    with pytest.raises(ConfigurationError, match="--input - reads one text a line"):
        list(read_rows("-", ["a", "b"]))
