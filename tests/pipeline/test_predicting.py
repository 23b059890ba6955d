import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from compress.errors import CompressError, ConfigurationError, DataError
from compress.inference.classifier import Prediction
from compress.pipeline.predicting import answered, lines, read_rows, write_rows

ONE = Prediction("a", {"a": 0.75, "b": 0.25}, ("a",))
BOTH = Prediction("a", {"a": 0.75, "b": 0.625}, ("a", "b"))
NUMBER = Prediction(None, value=2.5)


class Always:
    """A classifier that gives one answer to everything."""

    def __init__(self, prediction=ONE, task="text-classification"):
        self.prediction, self.task = prediction, task

    def predict(self, texts):
        return [self.prediction for _ in texts]


MULTI = Always(BOTH, "multi-label-classification")
REGRESSION = Always(NUMBER, "text-regression")


def written(rows, classifier=None, *, as_csv=False, columns=("text",)):
    file = io.StringIO(newline="")
    write_rows(answered(classifier or Always(), rows, columns), file, as_csv=as_csv)
    return file.getvalue()


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
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_line(tmp_path, name, content, message):
    with pytest.raises(CompressError) as error:
        list(read_rows(file_of(tmp_path, name, content), ["text"]))
    assert message in str(error.value)


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


@pytest.mark.parametrize(
    ("classifier", "answer"),
    [
        (Always(), {"predicted": "a", "probabilities": {"a": 0.75, "b": 0.25}}),
        (MULTI, {"predicted": ["a", "b"], "probabilities": {"a": 0.75, "b": 0.625}}),
        (Always(Prediction("a", {"a": 0.25}), "multi-label-classification"),
         {"predicted": [], "probabilities": {"a": 0.25}}),
        (REGRESSION, {"predicted": 2.5}),
    ],
)  # fmt: skip
def test_json_is_the_same_row_with_the_answer_beside_it(classifier, answer):
    row = {"text": "x", "label": "mine", "labels": [1], "value": 7}
    assert json.loads(written([row], classifier)) == {**row, **answer}
    assert [json.loads(line) for line in lines(answered(classifier, [row], ["text"]), as_json=True)] == [
        {**row, **answer}
    ]


def test_csv_has_the_answer_in_columns():
    assert written([{"text": "x", "label": "mine"}], as_csv=True).splitlines() == [
        "text,label,predicted,probability:a,probability:b", "x,mine,a,0.75,0.25",
    ]  # fmt: skip
    assert written([{"text": "x"}], MULTI, as_csv=True).splitlines()[1] == "x,a|b,0.75,0.625"
    assert written([{"text": "x"}], REGRESSION, as_csv=True).splitlines() == ["text,predicted", "x,2.5"]


@pytest.mark.parametrize(
    ("column", "as_csv"), [("predicted", True), ("predicted", False), ("probabilities", False), ("probability:a", True)]
)
def test_a_column_where_the_answer_goes_is_refused(column, as_csv):
    with pytest.raises(ConfigurationError, match=f"row 1: has '{column}' already, .* rename"):
        written([{"text": "x", column: "mine"}], as_csv=as_csv)


def test_a_column_with_the_answers_name_is_refused_for_json_lines_too():
    with pytest.raises(ConfigurationError, match="row 2: has 'predicted' already"):
        list(lines(answered(Always(), [{"text": "x"}, {"text": "x", "predicted": 1}], ["text"]), as_json=True))


def test_lines_for_people_have_the_answer_and_the_text():
    assert list(lines(answered(Always(), [{"text": "x"}], ["text"]), as_json=False)) == ["a 0.750\tx"]
    assert list(lines(answered(MULTI, [{"text": "x"}], ["text"]), as_json=False)) == ["a 0.750, b 0.625\tx"]
    assert list(lines(answered(REGRESSION, [{"text": "x"}], ["text"]), as_json=False)) == ["2.5000\tx"]


@pytest.mark.parametrize("second", [{"text": "y"}, {"text": "y", "id": 2, "more": 3}])
def test_rows_with_other_fields_cannot_be_csv(second):
    with pytest.raises(DataError, match=r"row 2: has other fields than the first row.*\.jsonl"):
        written([{"text": "x", "id": 1}, second], as_csv=True)


def test_the_order_of_the_fields_does_not_matter():
    assert written([{"text": "x", "id": 1}, {"id": 2, "text": "y"}], as_csv=True).splitlines()[2] == "y,2,a,0.75,0.25"


def test_it_imports_neither_torch_nor_datasets():
    code = (
        "import sys, compress.pipeline.predicting;"
        "assert not {'torch', 'datasets', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
