"""Batches of tiny texts as a model's own tokenizer encodes them, one text each."""

from pathlib import Path

from compress.inference.predictor import Batch
from compress.inference.text_encoder import TextEncoder
from tests.tiny import tiny_texts


def text_batches(folder: Path, rows: int = 12) -> list[Batch]:
    encoder = TextEncoder.load(folder, max_length=32)
    return [encoder.encode([text]) for text in tiny_texts(rows=rows, seed=5)[0]]
