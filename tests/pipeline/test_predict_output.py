import io
import json

import pytest

from compress.errors import ConfigurationError, DataError
from compress.inference.classifier import Prediction
from compress.pipeline.predict_output import lines, write_rows
from compress.pipeline.predicting import answered
from tests.pipeline.always import Always

BOTH = Prediction("a", {"a": 0.75, "b": 0.625}, ("a", "b"))
NUMBER = Prediction(None, value=2.5)
MULTI = Always(BOTH, "multi-label-classification")
REGRESSION = Always(NUMBER, "text-regression")


def written(rows, classifier=None, *, as_csv=False, columns=("text",)):
    file = io.StringIO(newline="")
    write_rows(answered(classifier or Always(), rows, columns), file, as_csv=as_csv)
    return file.getvalue()


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
