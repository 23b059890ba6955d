import numpy as np
import pytest
import torch
import transformers

from compress.distillation.sentence_vectors import WithVectors
from compress.distillation.watch import Watch
from compress.inference.text_encoder import TextEncoder
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_texts


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_the_mean_of_the_last_layers_real_tokens_come_from_one_pass(tmp_path, family):
    folder = tiny_checkpoint(tmp_path / "teacher", family)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = TextEncoder.load(folder, max_length=32).encode(tiny_texts(5)[0])
    with Watch(model, whose="teacher") as watch:
        answered = WithVectors(model, watch).predict(batch)["logits"]
    tokens = {name: torch.tensor(batch[name]) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        expected = model(**tokens, output_hidden_states=True)
    mask = batch["attention_mask"][:, :, None]
    vectors = (expected.hidden_states[-1].numpy() * mask).sum(1) / mask.sum(1)
    np.testing.assert_allclose(answered, np.concatenate([expected.logits.numpy(), vectors], axis=1), atol=1e-5)
    assert answered.dtype == np.float32
