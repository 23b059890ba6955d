import numpy as np

from compress.inference.predictor import LinearPredictor
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.progress import Silent
from tests.tiny import tiny_texts, tiny_tokenizer


def test_logits_come_in_the_rows_order_out_of_batches_of_like_length(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    encoder = TextEncoder.load(tmp_path, max_length=32)
    texts, _ = tiny_texts(rows=33)
    table = np.random.default_rng(0).normal(size=(len(tokenizer), 3)).astype(np.float32)
    predictor = LinearPredictor(table)
    logits = predict_all(predictor, encoder, texts, batch_size=8, progress=Silent(), description="testing")
    wanted = [table[tokenizer(text).input_ids].sum(axis=0) for text in texts]
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
    widths = [shape[1] for shape in predictor.shapes]
    assert widths == sorted(widths, reverse=True)
    assert [shape[0] for shape in predictor.shapes] == [8, 8, 8, 8, 1]


def test_every_text_is_encoded_once(tmp_path, monkeypatch):
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    encode, asked = TextEncoder._encodings, []

    def counted(self, texts, *, cut_to):
        asked.extend(texts)
        return encode(self, texts, cut_to=cut_to)

    monkeypatch.setattr(TextEncoder, "_encodings", counted)
    texts, _ = tiny_texts(rows=20)
    predictor = LinearPredictor(np.zeros((len(tokenizer), 3), dtype=np.float32))
    encoder = TextEncoder.load(tmp_path, max_length=32)
    predict_all(predictor, encoder, texts, batch_size=8, progress=Silent(), description="testing")
    assert sorted(asked) == sorted(texts)


def test_no_texts_give_no_rows(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)
    encoder = TextEncoder.load(tmp_path, max_length=32)
    predictor = LinearPredictor(np.zeros((9, 3), dtype=np.float32))
    assert len(predict_all(predictor, encoder, [], batch_size=8, progress=Silent(), description="testing")) == 0
