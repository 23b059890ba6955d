"""What a model answers to texts: alone, and in batches."""

from pathlib import Path

import numpy as np

from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import Array
from compress.inference.text_encoder import TextEncoder


def logits(folder: Path, texts: list[str], *, batch_size: int = 1) -> Array:
    """float32 (texts, classes), from batches padded to their longest text."""
    encoder, predictor = TextEncoder.load(folder, max_length=32), open_onnx(folder, threads=1)
    batches = [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
    return np.concatenate([predictor.predict(encoder.encode(batch))["logits"] for batch in batches])


def is_the_same_in_any_batch(folder: Path, texts: list[str]) -> bool:
    """Whether answers are equal to the last bit: alone, in batches of several sizes, in another order, more padded."""
    alone = logits(folder, texts)
    batched = all(np.array_equal(logits(folder, texts, batch_size=size), alone) for size in (2, 5, len(texts)))
    turned = np.array_equal(logits(folder, texts[::-1], batch_size=4)[::-1], alone)
    longer = logits(folder, [*texts, " ".join(texts)], batch_size=len(texts) + 1)
    return batched and turned and np.array_equal(longer[:-1], alone)
