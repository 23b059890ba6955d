import subprocess
import sys

from compress.pipeline.predicting import ROWS_AT_ONCE, Answer, answered, texts_of
from tests.pipeline.always import ONE, Always


def test_every_row_has_its_answer_beyond_one_batch():
    rows = [{"text": str(number)} for number in range(ROWS_AT_ONCE + 1)]
    pairs = list(answered(Always(), rows, ["text"]))
    assert [row for row, _ in pairs] == rows
    assert {answer.predicted for _, answer in pairs} == {ONE.label}


def test_rows_are_answered_as_they_come():
    waiting = iter([{"text": "x"}] * (ROWS_AT_ONCE + 1))
    assert next(answered(Always(), waiting, ["text"]))[1] == Answer("a", ONE.probabilities)
    assert next(waiting) == {"text": "x"}


def test_two_columns_are_a_pair():
    assert texts_of({"a": 1, "b": "two"}, ["a", "b"]) == ("1", "two")


def test_it_imports_neither_torch_nor_datasets():
    code = (
        "import sys, compress.pipeline.predicting, compress.pipeline.predict_output;"
        "assert not {'torch', 'datasets', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
