"""Static int8 from texts: smooth what is asked for, find the ranges, quantize."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import onnx

from compress.errors import QuantizationError
from compress.inference.predictor import Batch
from compress.progress import Progress
from compress.quantization.calibration import calibrated_ranges, largest_by_channel
from compress.quantization.calibration_methods import RangeMethod, Ranges
from compress.quantization.finishing import Quantized, load_float, size_mb
from compress.quantization.products import products_of
from compress.quantization.smooth import smooth_activations, smoothable
from compress.quantization.static import StaticWeights, product_inputs, quantize_static_int8


@dataclass(frozen=True)
class Calibration:
    """How ranges are found."""

    method: RangeMethod = "minmax"
    percentile: float = 99.99
    """Percent of all values that are kept, for that method."""
    smooth: float | None = None
    """Strength of SmoothQuant; None: none."""


@dataclass(frozen=True)
class Calibrated:
    """A float model that is ready to be quantized, in one way or in several."""

    source: Path
    """As it was given."""
    file: Path
    """With SmoothQuant folded in, where that was asked; its products have the same names."""
    ranges: Ranges
    """Of every activation that a product of `file` reads."""
    smoothed_norms: int


def calibrate(
    source: Path, folder: Path, batches: Sequence[Batch], *, calibration: Calibration, progress: Progress
) -> Calibrated:
    """Smooth what is asked for and find the ranges.

    Args:
        source: an ONNX file with its weights inside.
        folder: a smoothed graph is written there.
        batches: encoded texts without padding.
        calibration: how ranges are found on them.
        progress: told what is done.

    Raises: QuantizationError as `calibrated_ranges` does, and when `smooth` finds no norm.
    """
    file, norms = source, 0
    if calibration.smooth is not None:
        file = folder / "smooth.onnx"
        norms = write_smoothed(source, file, batches, strength=calibration.smooth, progress=progress)
    ranges = calibrated_ranges(
        file, batches, tensors=product_inputs(load_float(file)), method=calibration.method,
        percentile=calibration.percentile, progress=progress,
    )  # fmt: skip
    return Calibrated(source, file, ranges, norms)


def quantize_calibrated(
    calibrated: Calibrated,
    target: Path,
    *,
    weights: StaticWeights,
    embedding_bits: int | None = 8,
    embedding_block_size: int = 32,
    leave_float_products: Collection[str] = (),
) -> Quantized:
    """Write the int8 model; its details hold the ranges. Arguments and errors are those of `quantize_static_int8`."""
    found = quantize_static_int8(
        calibrated.file, target, ranges=calibrated.ranges, weights=weights, embedding_bits=embedding_bits,
        embedding_block_size=embedding_block_size, leave_float_products=leave_float_products,
    )  # fmt: skip
    said = {
        "ranges": calibrated.ranges, "smoothed_norms": calibrated.smoothed_norms,
        "left_float": sorted(leave_float_products),
    }  # fmt: skip
    return replace(found, size_mb_before=size_mb(calibrated.source), details=said)


def write_smoothed(source: Path, target: Path, batches: Sequence[Batch], *, strength: float, progress: Progress) -> int:
    """Write the float model with SmoothQuant folded in; how many norms took part of it.

    Raises: QuantizationError when there is none.
    """
    model = load_float(source)
    norms = [one.norm.output[0] for one in smoothable(model)]
    if not norms:
        raise QuantizationError(
            "smooth: no product reads a LayerNormalization with constant weights, so nothing can be folded: "
            "leave smooth out."
        )
    largest = largest_by_channel(source, batches, tensors=norms, progress=progress)
    done = smooth_activations(model, largest, strength=strength)
    onnx.save(model, target)
    return done


def products_named(source: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """The products that `wanted` names: by operator, by output in the float graph, or by a pattern with `*`.

    Raises: QuantizationError when one of them names none.
    """
    model = load_float(source)
    operators = {node.output[0]: node.op_type for node in model.graph.node}
    names = [product.name for product in products_of(model)]
    found: set[str] = set()
    for pattern in wanted:
        fitting = [name for name in names if operators[name] == pattern or fnmatchcase(name, pattern)]
        if not fitting:
            raise QuantizationError(
                f"leave_float: no product is called '{pattern}'. The products are {', '.join(names)}; "
                f"or name an operator: {', '.join(sorted({operators[name] for name in names}))}."
            )
        found.update(fitting)
    return tuple(name for name in names if name in found)
