"""What a value inside a graph is for a text of given tokens, by running the part of the graph that makes it.

A value that is the same whatever the tokens are depends on their places alone, and can be looked up by place.
"""

import numpy as np
import onnx_ir as ir
import onnxruntime

from compress.exporting.lean.editing import sources
from compress.exporting.lean.not_lean import NotLean
from compress.inference.onnx_predictor import FAILURES
from compress.inference.predictor import Array

TEXT = ("input_ids", "attention_mask")


def by_place(model: ir.Model, value: ir.Value, *, length: int, pad_id: int) -> Array | None:
    """`value` for a text of `length` tokens without padding; None when it depends on which tokens they are.

    Raises: NotLean when that part cannot be run by itself.
    """
    if not sources(value) <= set(TEXT):
        return None
    tokens = [number for number in range(3) if number != pad_id]
    try:
        part = _part(model, value)
        answers = [_run(part, np.full((1, length), token, dtype=np.int64)) for token in tokens]
    except (ValueError, *FAILURES) as error:  # ValueError: of a graph within a node, which reads more than it says
        raise NotLean(f"onnxruntime cannot run the part that makes {value.name}: {error}") from error
    same = all(np.array_equal(answers[0], answer) for answer in answers[1:])
    return answers[0] if same else None


def _part(model: ir.Model, value: ir.Value) -> bytes:
    inputs = sorted(sources(value))
    graph = ir.convenience.extract(model.graph, inputs, [str(value.name)])
    part = ir.Model(graph, ir_version=model.ir_version)
    part.opset_imports.update(model.opset_imports)
    serialised: bytes = ir.to_proto(part).SerializeToString()
    return serialised


def _run(part: bytes, input_ids: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(part, options, providers=["CPUExecutionProvider"])
    text = dict(zip(TEXT, (input_ids, np.ones_like(input_ids)), strict=True))
    answer: Array = session.run(None, {given.name: text[given.name] for given in session.get_inputs()})[0]
    return answer
