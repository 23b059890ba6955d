"""What the inputs of products look like on texts: H = 2/n Σ x xᵀ, added up text by text; no activation is kept.

The float graph is run in onnxruntime with the inputs of products as its outputs. Batches hold no padding, so every
token counts. Knows nothing of what H is for.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from compress.errors import QuantizationError
from compress.inference.onnx_predictor import FAILURES
from compress.inference.predictor import Array, Batch
from compress.progress import Advance

Activations = tuple[str, ...]
"""Names of tensors (…, width) of a graph that are looked at as one: weights may be shared by several products."""


def collect_hessians(
    model: onnx.ModelProto, widths: Mapping[Activations, int], batches: Sequence[Batch], advance: Advance
) -> dict[Activations, Array]:
    """H of each, float64 (width, width).

    Args:
        model: a float model with its weights inside.
        widths: of the activations that are wanted; each is computed once, however many look at it.
        batches: at least one, of texts of one length each.
        advance: told each batch.

    Raises: QuantizationError when the graph cannot be run on them.
    """
    names = list(dict.fromkeys(name for group in widths for name in group))
    session = _answering(model, names)
    taken = [value.name for value in session.get_inputs()]
    sums = {group: np.zeros((width, width)) for group, width in widths.items()}
    counts = dict.fromkeys(widths, 0)
    for batch in batches:
        answers = dict(zip(names, _run(session, names, {name: batch[name] for name in taken}), strict=True))
        for group, width in widths.items():
            for name in group:
                rows = answers[name].reshape(-1, width)
                sums[group] += rows.T @ rows
                counts[group] += len(rows)
        advance()
    return {group: total * (2 / counts[group]) for group, total in sums.items()}


def _answering(model: onnx.ModelProto, names: Sequence[str]) -> onnxruntime.InferenceSession:
    """The graph with these tensors as its outputs, on all processors."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except FAILURES as error:
        raise _unusable(error) from error


def _run(session: onnxruntime.InferenceSession, names: Sequence[str], batch: Batch) -> list[Array]:
    try:
        answers: list[Array] = session.run(list(names), batch)
    except FAILURES as error:
        raise _unusable(error) from error
    return answers


def _unusable(error: Exception) -> QuantizationError:
    reason = str(error).splitlines()[0]
    return QuantizationError(
        f"onnxruntime {onnxruntime.__version__} cannot run the float model on the calibration rows: {reason} "
        "Export it again, or take an algorithm that looks at no texts (`algorithm: hqq`)."
    )
