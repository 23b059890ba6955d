"""The operator sets that a rewritten graph needs."""

import onnx
from onnx import helper

from compress.errors import QuantizationError

OLDEST = 18  # ReduceMax takes its axes as an input from here on
BLOCKED = 21  # QuantizeLinear with a scale a block, and tensors of 4 bits
IR_VERSION = 10  # the first that has them


def raise_opset(model: onnx.ModelProto) -> None:
    """Say that the graph is of opset 21 or later, with onnxruntime's own operators.

    From 18 to 21 the operators of an encoder's graph got more types, but no other meaning; of all operators only
    GroupNormalization changed.
    """
    standard = next(one for one in model.opset_import if one.domain in {"", "ai.onnx"})
    if standard.version < OLDEST or any(node.op_type == "GroupNormalization" for node in model.graph.node):
        raise QuantizationError(
            f"The graph is of opset {standard.version}, and this scheme needs {OLDEST} or later: export it again."
        )
    standard.version = max(standard.version, BLOCKED)
    model.ir_version = max(model.ir_version, IR_VERSION)
    if not any(one.domain == "com.microsoft" for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
