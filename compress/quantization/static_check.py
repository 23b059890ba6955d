"""Which products onnxruntime computes with codes once it has loaded a QDQ graph: asked of onnxruntime itself."""

import tempfile
from pathlib import Path

import onnx
import onnxruntime

from compress.errors import QuantizationError

IN_INT8 = frozenset({"MatMulIntegerToFloat", "QLinearMatMul", "QGemm", "MatMulInteger"})


def check_multiplied_in_int8(file: Path, products: int) -> None:
    """Raises: QuantizationError when onnxruntime multiplies fewer than `products` in 8 bits.

    A DequantizeLinear that it has no rule for is computed, and what follows is a product of floats as before.
    """
    found = _products_of_codes(file)
    if found < products:
        raise QuantizationError(
            f"onnxruntime {onnxruntime.__version__} multiplies {found} of {products} quantized products in 8 bits and "
            "makes the others float again: use another scheme (dynamic_int8), or the onnxruntime that this package was "
            "tested with (constraints.txt)."
        )


def _products_of_codes(file: Path) -> int:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the file suits this machine only: it is looked at, not kept
    with tempfile.TemporaryDirectory() as folder:
        loaded = Path(folder) / "model.onnx"
        options.optimized_model_filepath = str(loaded)
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(loaded, load_external_data=False).graph
    return sum(node.op_type in IN_INT8 for node in graph.node)
