"""One part of a float graph in static int8, all else float: ranges are calibrated once for all parts."""

from collections.abc import Sequence
from pathlib import Path

import onnx

from compress.inference.predictor import Batch
from compress.progress import Progress
from compress.quantization.calibration import calibrated_ranges
from compress.quantization.finishing import load_float
from compress.quantization.precision_parts import Part
from compress.quantization.products import products_of
from compress.quantization.sensitivity import Rewrite
from compress.quantization.static import StaticWeights, product_inputs, quantize_products


def static_rewrite(source: Path, batches: Sequence[Batch], *, progress: Progress) -> Rewrite:
    """What quantizes one part of the float graph `source`, from the smallest to the largest value seen.

    Args:
        source: the float graph.
        batches: encoded texts without padding.
        progress: told what is done.

    Raises: QuantizationError as `calibrated_ranges` does.
    """
    model = load_float(source)
    ranges = calibrated_ranges(source, batches, tensors=product_inputs(model), method="minmax", progress=progress)
    names = [product.name for product in products_of(model)]

    def rewrite(graph: onnx.ModelProto, part: Part) -> onnx.ModelProto:
        others = [name for name in names if name not in part.operators]
        quantize_products(graph, ranges, StaticWeights(), leave_float_products=others)
        return graph

    return rewrite
