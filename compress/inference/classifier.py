"""A bundle that answers texts: labels and probabilities, with numpy, onnxruntime and tokenizers alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compress.errors import ConfigurationError, ModelError
from compress.inference.bundle_config import BundleConfig, read_bundle_config
from compress.inference.onnx_predictor import MODEL, OnnxPredictor, open_session
from compress.inference.predictor import Array, Predictor
from compress.inference.run import predict_all
from compress.inference.text_encoder import Text, TextEncoder
from compress.progress import Progress, Silent
from compress.task import Task

THRESHOLD = 0.5
"""Multi-label: a label whose probability is above it counts."""


@dataclass(frozen=True)
class Prediction:
    """The answer to one text."""

    label: str | None
    """The most probable; None for regression."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """By label: together 1 for one label a text, each on its own for several; empty for regression."""
    labels: tuple[str, ...] = ()
    """All that apply: those above 0.5 for several labels a text, else the one."""
    value: float | None = None
    """Regression: the number."""


class Classifier:
    """A bundle that is open."""

    def __init__(self, predictor: Predictor, encoder: TextEncoder, config: BundleConfig) -> None:
        self._predictor, self._encoder = predictor, encoder
        self.task, self.labels, self.max_length = config.task, config.labels, config.max_length

    def predict(
        self, texts: Sequence[Text], *, batch_size: int = 1, progress: Progress | None = None
    ) -> list[Prediction]:
        """One prediction a text, in their order.

        Args:
            texts: strings, or pairs of strings for a model of pairs; cut to `max_length` tokens.
            batch_size: texts answered together. 1 wastes no padding on a CPU, and the answer of a dynamically
                quantized model to a text depends a little on the texts beside it.
            progress: told the texts that are done.

        Raises: ConfigurationError when `texts` is no sequence of texts.
        """
        _check_texts(texts)
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}: it must be at least 1.")
        logits = predict_all(
            self._predictor, self._encoder, texts,
            batch_size=batch_size, progress=progress or Silent(), description="predicting",
        )  # fmt: skip
        return [answer(row, task=self.task, labels=self.labels) for row in logits]


def load_bundle(path: Path | str, *, threads: int | None = None) -> Classifier:
    """The bundle in the folder `path`, ready to predict.

    Args:
        path: a folder with model.onnx, tokenizer.json and config.json.
        threads: of the runtime; None: as many as there are physical cores.

    Raises: ConfigurationError when it is not a bundle, or a file is missing, damaged or of an absurd size.
    """
    folder = Path(path)
    if threads is not None and threads < 1:
        raise ConfigurationError(f"threads is {threads}: it must be at least 1.")
    config = read_bundle_config(folder)
    encoder = TextEncoder.load(folder, max_length=config.max_length)
    return Classifier(open_predictor(folder, config, threads=threads or 0), encoder, config)


def open_predictor(folder: Path, config: BundleConfig, *, threads: int, server: bool = False) -> Predictor:
    """The model of the bundle in `folder`, whose configuration is `config`; the rest as `open_session` has it.

    Raises: ConfigurationError when it is damaged, or of another make than the configuration.
    """
    try:
        predictor = OnnxPredictor(open_session(folder / MODEL, threads=threads, server=server))
    except ModelError as error:
        raise ConfigurationError(f"the bundle {folder} is damaged: {error}") from error
    _check_fits(folder, predictor, config)
    return predictor


def answer(logits: Array, *, task: Task, labels: Sequence[str]) -> Prediction:
    """One row of logits, float (classes,), as a prediction."""
    if task == "text-regression":
        return Prediction(label=None, value=float(logits[0]))
    several = task == "multi-label-classification"
    shares = _sigmoid(logits) if several else _softmax(logits)
    probabilities = {label: float(share) for label, share in zip(labels, shares, strict=True)}
    best = labels[int(np.argmax(logits))]
    apply = tuple(label for label, share in probabilities.items() if share > THRESHOLD) if several else (best,)
    return Prediction(best, probabilities, apply)


def _softmax(logits: Array) -> Array:
    exponents = np.exp(logits.astype(np.float64) - logits.max())
    shares: Array = exponents / exponents.sum()
    return shares


def _sigmoid(logits: Array) -> Array:
    """Written with tanh, which does not overflow."""
    shares: Array = 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))
    return shares


def _check_texts(texts: object) -> None:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ConfigurationError(f"predict needs a list of texts, not a {type(texts).__name__}: predict([text]).")
    for row, text in enumerate(texts):
        pair = isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text)
        if not isinstance(text, str) and not pair:
            raise ConfigurationError(
                f"text {row} is a {type(text).__name__}: each must be a string or a pair of strings."
            )


def _check_fits(folder: Path, predictor: OnnxPredictor, config: BundleConfig) -> None:
    """Model and configuration are of one make."""
    if predictor.classes is not None and predictor.classes != len(config.labels):
        raise ConfigurationError(
            f"{folder} is mixed up: {MODEL} answers {predictor.classes} logits and config.json names "
            f"{len(config.labels)} labels. Copy the bundle again, as a whole."
        )
