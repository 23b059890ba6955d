"""The rows that candidates are asked: encoded once, in batches of like length, answered by any graph on disk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compress.inference.onnx_predictor import OnnxPredictor, open_session
from compress.inference.predictor import LOGITS, Array
from compress.inference.text_encoder import Text, TextEncoder

BATCH_SIZE = 32
THREADS = 0  # the physical cores


class EncodedRows:
    """Texts as one tokenizer encodes them.

    Args:
        encoder: of the float model.
        texts: one string or a pair a row.
    """

    def __init__(self, encoder: TextEncoder, texts: Sequence[Text]) -> None:
        tokens = encoder.tokens(texts)
        self._order = np.argsort([len(ids) for ids, _ in tokens], kind="stable")
        starts = range(0, len(tokens), BATCH_SIZE)
        rows = [self._order[start : start + BATCH_SIZE] for start in starts]
        self._batches = [encoder.padded([tokens[row] for row in some]) for some in rows]

    def __len__(self) -> int:
        return len(self._order)

    def logits(self, file: Path) -> Array:
        """What the graph in `file` answers: float32 (rows, classes), in the order of the texts.

        Raises: ModelError when onnxruntime cannot run it.
        """
        predictor = OnnxPredictor(open_session(file, threads=THREADS))
        answers = np.concatenate([predictor.predict(batch)[LOGITS] for batch in self._batches])
        logits = np.empty_like(answers)
        logits[self._order] = answers
        return logits
