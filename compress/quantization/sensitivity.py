"""What each part of a model costs in few bits: quantized alone, all else float, and asked the same rows.

One graph is written, opened and run for each part and precision, so the work grows with both; rows are encoded once and
the float model answers once. The losses of parts nearly add up while they are small (their errors are independent), so
they say where bits are worth most (as in HAWQ, Dong et al. 2019, measured here instead of estimated). How good the
answers are is the caller's to judge: this knows logits, not labels.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from compress.inference.predictor import Array
from compress.precision import Quantized
from compress.quantization.compact import shorten_names
from compress.quantization.finishing import drop_unread, load_float
from compress.quantization.mixed import rewrite_mixed
from compress.quantization.precision_parts import Part, fits
from compress.quantization.sensitivity_rows import EncodedRows
from compress.task import Task

Rewrite = Callable[[onnx.ModelProto, Part], onnx.ModelProto]
"""Quantizes one part of a float graph, which it may change in place, and gives the graph back."""


@dataclass(frozen=True)
class Answered:
    """One part in one precision."""

    part: Part
    precision: Quantized
    logits: Array
    """float32 (rows, classes)."""
    bytes_saved: int
    """Of the file."""


@dataclass(frozen=True)
class LogitLoss:
    """How far answers are from others."""

    mse: float
    """Mean squared difference of the logits."""
    kl: float | None
    """Mean divergence of the probabilities, in nats a row; None where answers are numbers."""


def float_bytes(source: Path) -> int:
    """Of the float graph's file, named as briefly as a quantized one."""
    model = load_float(source)
    _tidy(model)
    return int(model.ByteSize())


def answers_by_part(
    source: Path,
    parts: Sequence[Part],
    precisions: Sequence[Quantized],
    rows: EncodedRows,
    *,
    block_size: int = 32,
    others: Mapping[Quantized, Rewrite] | None = None,
) -> Iterator[Answered]:
    """Each part in each precision that it can have, in the order of the graph.

    Args:
        source: the float graph, weights inside.
        parts: of that graph.
        precisions: that are tried.
        rows: what each candidate is asked.
        block_size: weights that share a scale where they have 4 bits.
        others: how precisions other than int8 and int4 are made.

    Raises: QuantizationError, ModelError as writing and running the graphs do.
    """
    float_model, before = load_float(source), float_bytes(source)
    with tempfile.TemporaryDirectory(prefix="compress-sensitivity-") as folder:
        file = Path(folder) / "candidate.onnx"
        for part, precision in candidates(parts, precisions):
            model = onnx.ModelProto()
            model.CopyFrom(float_model)
            if others and precision in others:
                model = others[precision](model, part)
            else:
                rewrite_mixed(model, dict.fromkeys(part.operators, precision), block_size=block_size)
            _tidy(model)
            onnx.save(model, file)
            yield Answered(part, precision, rows.logits(file), int(before - model.ByteSize()))


def candidates(parts: Sequence[Part], precisions: Sequence[Quantized]) -> list[tuple[Part, Quantized]]:
    """What is tried: one run of the model each."""
    return [(part, precision) for part in parts for precision in precisions if fits(part, precision)]


def logit_loss(wanted: Array, found: Array, *, task: Task) -> LogitLoss:
    """How far the logits `found` are from those `wanted`.

    Args:
        wanted: float (rows, classes), the float model's.
        found: of the same shape.
        task: says what the logits are: of one class (softmax), of each label by itself (sigmoid), or numbers.
    """
    wanted, found = wanted.astype(np.float64), found.astype(np.float64)
    mse = float(np.mean((wanted - found) ** 2))
    if task == "text-regression":
        return LogitLoss(mse, None)
    if task == "multi-label-classification":  # each label is a choice between its logit and 0
        wanted, found = (np.stack([logits, np.zeros_like(logits)], axis=-1) for logits in (wanted, found))
    before, after = _log_softmax(wanted), _log_softmax(found)
    divergence = (np.exp(before) * (before - after)).sum(axis=-1)  # (rows,) or (rows, labels)
    return LogitLoss(mse, max(float(divergence.reshape(len(wanted), -1).sum(axis=1).mean()), 0.0))


def _tidy(model: onnx.ModelProto) -> None:
    """As a finished graph is, so that sizes can be compared."""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.name = ""
    drop_unread(model)
    shorten_names(model)


def _log_softmax(logits: Array) -> Array:
    moved = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True)))
