import numpy as np
import pytest

from compress.errors import ExportError
from compress.exporting.parity import check_parity, check_tokens, spread_over_lengths, tolerated
from compress.inference.predictor import LinearPredictor
from compress.inference.text_encoder import TextEncoder
from tests.tiny import tiny_texts, tiny_tokenizer

TEXTS, _ = tiny_texts(rows=6)
TABLE = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)


@pytest.fixture
def encoder(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)
    return TextEncoder.load(tmp_path, max_length=32)


class ReadsPadding(LinearPredictor):
    def predict(self, batch):
        return super().predict({**batch, "attention_mask": np.ones_like(batch["attention_mask"])})


class AnswersNotANumber(LinearPredictor):
    def predict(self, batch):
        return {"logits": super().predict(batch)["logits"] * np.float32("nan")}


def test_equal_predictors_pass_and_their_largest_difference_is_told(encoder):
    parity = check_parity(LinearPredictor(TABLE), LinearPredictor(TABLE + 1e-7), encoder, TEXTS)
    assert parity.rows == 6
    assert 0 < parity.largest_difference < 1e-5
    assert parity.lengths == (min(encoder.lengths(TEXTS)), max(encoder.lengths(TEXTS)))


def test_another_answer_says_which_row_and_how_far(encoder):
    with pytest.raises(
        ExportError, match=r"row 0 \('.+'\) alone \(1 × \d+ tokens\): the graph's logits are 0\.\d+ from"
    ):
        check_parity(LinearPredictor(TABLE), LinearPredictor(TABLE + 0.01), encoder, TEXTS)


def test_a_graph_that_reads_padding_is_found(encoder):
    with pytest.raises(ExportError, match=r"row 0 \(.+\) padded \(1 × 32 tokens\)"):
        check_parity(LinearPredictor(TABLE), ReadsPadding(TABLE), encoder, TEXTS)


def test_not_a_number_is_not_near(encoder):
    with pytest.raises(ExportError, match="logits are nan from"):
        check_parity(LinearPredictor(TABLE), AnswersNotANumber(TABLE), encoder, TEXTS)


def test_other_classes_are_told(encoder):
    with pytest.raises(ExportError, match=r"logits of shape \(1, 2\), the model \(1, 3\)"):
        check_parity(LinearPredictor(TABLE), LinearPredictor(TABLE[:, :2]), encoder, TEXTS)


def test_a_tokenizer_class_that_does_more_than_its_file_is_found(encoder):
    def other(text, text_pair, *, truncation, max_length):
        return {"input_ids": [[1, 2, 3]] * len(text)}

    check_tokens(tiny_tokenizer(), encoder, TEXTS)
    with pytest.raises(ExportError, match=r"row 0 \(.+\): tokenizer\.json alone gives other input_ids"):
        check_tokens(other, encoder, TEXTS)


def test_rows_are_spread_from_the_shortest_to_the_longest():
    lengths = np.array([5, 1, 9, 3, 7, 2, 8])
    assert [int(lengths[row]) for row in spread_over_lengths(lengths, 3)] == [1, 5, 9]
    assert sorted(spread_over_lengths(lengths, 50)) == list(range(7))


def test_a_regression_in_thousands_may_differ_by_steps_of_its_numbers():
    usual, large = np.array([[0.5, -49.0]], dtype=np.float32), np.array([[4000.0]], dtype=np.float32)
    assert tolerated(1e-4, usual) == 1e-4
    assert tolerated(1e-4, large) == pytest.approx(0.008)
