import numpy as np
import onnx
import pytest
import torch

from compress.inference.text_encoder import TextEncoder
from compress.progress import Silent
from compress.quantization.precision_parts import parts_of
from compress.quantization.sensitivity import answers_by_part, candidates, float_bytes, logit_loss
from compress.quantization.sensitivity_rows import EncodedRows
from compress.quantization.sensitivity_static import static_rewrite
from tests.quantization.answers import logits
from tests.quantization.classifiers import (
    FIRST,
    SECOND,
    blocks_of_4_bits,
    by_hand,
    classifier,
    per_token_product,
    table,
)
from tests.tiny import tiny_onnx, tiny_texts

TEXTS, _ = tiny_texts(rows=70)
RANDOM = np.random.default_rng(3)


@pytest.fixture
def encoder(tmp_path):
    return TextEncoder.load(tiny_onnx(tmp_path / "tokenizer"), max_length=32)


def answered(file, encoder, precisions, **options):
    found = answers_by_part(file, parts_of(file, by="operator"), precisions, EncodedRows(encoder, TEXTS), **options)
    return {(one.part.name, one.precision): one for one in found}


def test_one_operator_at_a_time_is_what_numpy_computes(tmp_path, encoder):
    words = table(300)
    file = classifier(tmp_path / "toy.onnx", rows=300)
    found = answered(file, encoder, ["int8", "int4"], block_size=16)
    rows = np.abs(words).max(axis=1, keepdims=True) / 127
    eight = np.rint(words / rows.astype(np.float16).astype(np.float32)) * rows.astype(np.float16).astype(np.float32)
    four = blocks_of_4_bits(words, block_size=16).astype(np.float16)  # the operator answers in 16 bits
    near = {
        ("words", "int8"): by_hand(encoder, TEXTS, words=eight),
        ("words", "int4"): by_hand(encoder, TEXTS, words=four.astype(np.float32)),
        ("hidden", "int8"): by_hand(encoder, TEXTS, words=words, first=per_token_product(FIRST)),
        ("logits", "int8"): by_hand(encoder, TEXTS, words=words, second=per_token_product(SECOND)),
        ("hidden", "int4"): by_hand(
            encoder, TEXTS, words=words, first=per_token_product(blocks_of_4_bits(FIRST.T, block_size=16).T)
        ),
        ("logits", "int4"): by_hand(
            encoder, TEXTS, words=words, second=per_token_product(blocks_of_4_bits(SECOND.T, block_size=16).T)
        ),
    }
    assert set(found) == set(near)
    whole = by_hand(encoder, TEXTS, words=words)
    for name, wanted in near.items():
        np.testing.assert_allclose(found[name].logits, wanted, atol=2e-4, err_msg=str(name))
        loss = logit_loss(whole, found[name].logits, task="text-classification")
        assert loss.mse == pytest.approx(np.mean((wanted - whole) ** 2), rel=0.02), name


def test_bytes_saved_are_those_of_weights_and_scales(tmp_path, encoder):
    file = classifier(tmp_path / "toy.onnx", rows=300)
    found = {name: one.bytes_saved for name, one in answered(file, encoder, ["int8", "int4"]).items()}
    nodes = 900  # at most, of new nodes and their names
    assert 300 * (3 * 48 - 2) - nodes < found["words", "int8"] <= 300 * (3 * 48 - 2)
    assert 32 * (3 * 48 - 4) - nodes < found["hidden", "int8"] <= 32 * (3 * 48 - 4)
    assert found["words", "int4"] > found["words", "int8"] + 300 * 48 / 3
    assert found["logits", "int8"] < 0, "a matrix so small that the nodes are larger"
    assert 4 * (300 * 48 + 48 * 32 + 32 * 3) < float_bytes(file) < 4 * (300 * 48 + 48 * 32 + 32 * 3) + nodes


def test_static_int8_is_one_product_with_a_fixed_scale(tmp_path, encoder):
    file = classifier(tmp_path / "toy.onnx", rows=300)
    batches = [encoder.encode([text]) for text in TEXTS[:20]]
    rewrite = static_rewrite(file, batches, progress=Silent())
    found = answered(file, encoder, ["static_int8"], others={"static_int8": rewrite})
    assert set(found) == {("hidden", "static_int8"), ("logits", "static_int8")}, "a table has no activations"
    whole = by_hand(encoder, TEXTS, words=table(300))
    for one in found.values():
        assert 0 < np.abs(one.logits - whole).max() < 0.1 * np.ptp(whole)


def test_candidates_are_parts_times_precisions(tmp_path):
    parts = parts_of(tiny_onnx(tmp_path) / "model.onnx", by="operator")
    assert len(candidates(parts, ["int8", "int4"])) == 2 * 17
    assert len(candidates(parts, ["int8", "static_int8"])) == 17 + 14


def test_rows_are_answered_in_their_order(tmp_path):
    folder = tiny_onnx(tmp_path)
    rows = EncodedRows(TextEncoder.load(folder, max_length=32), TEXTS)
    assert len(rows) == 70
    np.testing.assert_allclose(rows.logits(folder / "model.onnx"), logits(folder, TEXTS), atol=1e-4)


def test_the_divergence_is_that_of_torch():
    wanted, found = RANDOM.normal(size=(2, 9, 4)).astype(np.float32)
    loss = logit_loss(wanted, found, task="text-classification")
    before, after = (torch.log_softmax(torch.tensor(one), dim=-1) for one in (wanted, found))
    reference = torch.nn.functional.kl_div(after, before, log_target=True, reduction="batchmean")
    assert loss.kl == pytest.approx(float(reference), rel=1e-5)
    assert loss.mse == pytest.approx(float(np.mean((wanted - found) ** 2)), rel=1e-6)


def test_labels_by_themselves_are_choices_of_two():
    wanted, found = RANDOM.normal(size=(2, 9, 4)).astype(np.float32)
    loss = logit_loss(wanted, found, task="multi-label-classification")
    before, after = (torch.distributions.Bernoulli(logits=torch.tensor(one)) for one in (wanted, found))
    reference = torch.distributions.kl_divergence(before, after).sum(dim=1).mean()
    assert loss.kl == pytest.approx(float(reference), rel=1e-4)


def test_numbers_have_no_divergence():
    loss = logit_loss(np.array([[1.0], [2.0]]), np.array([[1.5], [2.0]]), task="text-regression")
    assert (loss.mse, loss.kl) == (0.125, None)


def test_equal_answers_lose_nothing():
    same = RANDOM.normal(size=(5, 3)) * 50
    loss = logit_loss(same, same.copy(), task="text-classification")
    assert (loss.mse, loss.kl) == (0.0, 0.0)


def test_the_source_is_left_as_it_was(tmp_path, encoder):
    file = classifier(tmp_path / "toy.onnx", rows=300)
    before = file.read_bytes()
    answered(file, encoder, ["int8"])
    assert file.read_bytes() == before
    assert onnx.load(file).opset_import[0].version == 20
