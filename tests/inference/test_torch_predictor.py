import numpy as np
import pytest
import torch
import transformers

from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_texts


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_as_transformers_does_padded_or_not(tmp_path, family):
    folder = tiny_checkpoint(tmp_path, family)
    texts, _ = tiny_texts(rows=4)
    logits = open_torch(folder, threads=0).predict(TextEncoder.load(folder, max_length=64).encode(texts))["logits"]
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        wanted = [model(**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in texts]
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    assert logits.dtype == np.float32
