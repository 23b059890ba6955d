"""Ranges of activations, found by running a float model on texts: minmax, percentile or entropy.

A range is (low, high). Min-max is what was seen. Percentile cuts (100 - p) / 2 percent on either side. Entropy
(TensorRT, Migacz 2017) cuts at ±t, where t gives the 8-bit distribution that is nearest to the one seen
(Kullback-Leibler); `entropy` finds it.

Activations are looked at batch by batch and never kept: a first pass finds what is smallest and largest, a second
counts histograms of a fixed width. (onnxruntime's own calibrators keep all activations of a pass, widen their
histograms as they go, and skip what its shape inference cannot type, so everything behind an operator of its own.)
Knows no scheme and no text.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from compress.errors import QuantizationError
from compress.inference.onnx_predictor import open_session
from compress.inference.predictor import Array, Batch
from compress.progress import Progress
from compress.quantization.calibration_methods import RangeMethod, Ranges
from compress.quantization.entropy import entropy_threshold

FINE_BINS = 8192  # between what was seen, for percentiles
BINS = 2048  # from -t to t, for entropy: what TensorRT takes for either side is 2048


def calibrated_ranges(
    source: Path,
    batches: Sequence[Batch],
    *,
    tensors: Sequence[str],
    method: RangeMethod,
    percentile: float = 99.99,
    progress: Progress,
) -> Ranges:
    """The ranges of activations of the float model `source`.

    Args:
        source: an ONNX file with its weights inside.
        batches: what it is run on, without padding: what stands there would count.
        tensors: float tensors of its graph.
        method: how what is rare is treated.
        percentile: for that method; percent of all values that are kept, in (50, 100].
        progress: told the batches that are done.

    Raises: QuantizationError when there is no batch, or an activation is no finite number.
    """
    with Activations(source, tensors) as activations:
        seen = _smallest_and_largest(activations.over(batches, progress, "ranges"))
        if method == "minmax":
            return seen
        spans = {name: _span(method, *seen[name]) for name in tensors}
        counted = _histograms(activations.over(batches, progress, "histograms"), spans)
    return {name: _cut(method, counted[name], spans[name], seen[name], percentile) for name in tensors}


def largest_by_channel(
    source: Path, batches: Sequence[Batch], *, tensors: Sequence[str], progress: Progress
) -> dict[str, Array]:
    """max|x| float32 (width,) of each tensor (…, width). Raises: as `calibrated_ranges` does."""
    largest: dict[str, Array] = {}
    with Activations(source, tensors) as activations:
        for name, values in activations.over(batches, progress, "channels"):
            found = np.abs(values).max(axis=tuple(range(values.ndim - 1)))
            largest[name] = np.maximum(largest[name], found) if name in largest else found
    return largest


class Activations:
    """A model that gives tensors from inside of it; for as long as the block lasts.

    Args:
        source: an ONNX file.
        tensors: float tensors of its graph.
    """

    def __init__(self, source: Path, tensors: Sequence[str]) -> None:
        self._source, self._tensors = source, list(dict.fromkeys(tensors))

    def __enter__(self) -> "Activations":
        model = onnx.load(self._source)
        shown = {value.name for value in model.graph.output}
        model.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self._tensors if name not in shown
        )
        with tempfile.TemporaryDirectory() as folder:  # read when it is opened
            onnx.save(model, Path(folder) / "model.onnx")
            self._session = open_session(Path(folder) / "model.onnx", threads=0)
        return self

    def __exit__(self, *_: object) -> None:
        del self._session

    def over(self, batches: Sequence[Batch], progress: Progress, what: str) -> Iterator[tuple[str, Array]]:
        """Each tensor of each batch; those of one batch are in memory together."""
        if not batches:
            raise QuantizationError("There is no text to calibrate on: give at least one row.")
        inputs = [value.name for value in self._session.get_inputs()]
        with progress.track(f"calibrating: {what}", len(batches)) as advance:
            for batch in batches:
                values = self._session.run(self._tensors, {name: batch[name] for name in inputs})
                yield from zip(self._tensors, values, strict=True)
                advance()


def _smallest_and_largest(activations: Iterator[tuple[str, Array]]) -> Ranges:
    seen: Ranges = {}
    for name, values in activations:
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise QuantizationError(
                f"{name} is not a finite number on the calibration rows: the float model is broken."
            )
        before = seen.get(name, (low, high))
        seen[name] = min(low, before[0]), max(high, before[1])
    return seen


def _span(method: RangeMethod, low: float, high: float) -> tuple[float, float, int]:
    """What a histogram covers, and its bins."""
    if method == "percentile":
        return low, high, FINE_BINS
    furthest = max(abs(low), abs(high))
    return -furthest, furthest, BINS


def _histograms(
    activations: Iterator[tuple[str, Array]], spans: Mapping[str, tuple[float, float, int]]
) -> dict[str, Array]:
    """int64 (bins,) each."""
    counted = {name: np.zeros(bins, dtype=np.int64) for name, (_, _, bins) in spans.items()}
    for name, values in activations:
        low, high, bins = spans[name]
        wide = values.astype(np.float64)  # between two near numbers float32 has no room for that many bins
        counted[name] += np.histogram(wide, bins=bins, range=(low, high))[0]
    return counted


def _cut(
    method: RangeMethod,
    histogram: Array,
    span: tuple[float, float, int],
    seen: tuple[float, float],
    percentile: float,
) -> tuple[float, float]:
    low, high = seen
    if low == high:
        return seen
    if method == "percentile":
        return _between_percentiles(histogram, low, high, percentile)
    furthest = entropy_threshold(histogram, furthest=span[1])
    return max(low, -furthest), min(high, furthest)


def _between_percentiles(histogram: Array, low: float, high: float, percentile: float) -> tuple[float, float]:
    """Values evenly spread within a bin."""
    edges = np.linspace(low, high, len(histogram) + 1)
    share = np.concatenate([[0.0], np.cumsum(histogram) / histogram.sum()])
    cut = (100 - percentile) / 200
    lowest, highest = np.interp([cut, 1 - cut], share, edges)
    return float(lowest), float(highest)
