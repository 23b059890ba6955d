"""Every float tensor of activations inside a graph, for a few texts, by running it with all of them as outputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from compress.errors import ExportError
from compress.inference.onnx_predictor import FAILURES
from compress.inference.predictor import Array, Batch


@dataclass(frozen=True)
class Tensor:
    """The value of a name in the graph, without padding."""

    name: str
    place: int
    """In an order in which the graph can be computed."""
    tokens: int | None
    """It holds the first so many tokens of each text; None: it is of texts, not of tokens."""
    rows: Array
    """float32 (real tokens, width), or (texts, width)"""

    @property
    def width(self) -> int:
        """Of the last axis."""
        return int(self.rows.shape[-1])


def tensors_of(file: Path, batch: Batch) -> list[Tensor]:
    """Those of texts or of their tokens, for a batch of two texts or more, unoptimised.

    Raises: ExportError when onnxruntime cannot run the graph on the batch.
    """
    model = onnx.load(file)
    taken = {value.name for value in model.graph.input}
    names = list(_outputs(model))
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        answers = _session(model).run(names, {name: array for name, array in batch.items() if name in taken})
    except FAILURES as error:
        raise ExportError(f"{file.name}: onnxruntime cannot run it on a few texts: {error}") from error
    mask = batch["attention_mask"]
    return [
        tensor(name, place, values, mask)
        for place, (name, values) in enumerate(zip(names, answers, strict=True))
        if _is_of_texts(values, *mask.shape)
    ]


def tensor(name: str, place: int, values: Array, mask: Array) -> Tensor:
    """Of `values` (texts, tokens, width) or (texts, width); padding, where `mask` is 0, may hold anything."""
    tokens = int(values.shape[1]) if values.ndim == 3 else None
    return Tensor(name, place, tokens, first_tokens(values, tokens, mask))


def first_tokens(values: Array, tokens: int | None, mask: Array) -> Array:
    """The real ones among each text's first `tokens`: (real tokens, width); what is of texts as it is."""
    return values if tokens is None else values[:, :tokens][mask[:, :tokens] != 0]


def _outputs(model: onnx.ModelProto) -> Iterator[str]:
    """Names that nodes give, in the graph's order; ONNX wants nodes sorted."""
    for node in model.graph.node:
        yield from (name for name in node.output if name)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the outputs have no types until it infers them
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _is_of_texts(values: object, rows: int, length: int) -> bool:
    if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.ndim not in (2, 3):
        return False
    return values.shape[0] == rows and (values.ndim == 2 or 0 < values.shape[1] <= length)
