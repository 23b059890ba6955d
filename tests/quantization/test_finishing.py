import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from compress.errors import QuantizationError
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.finishing import save_finished
from compress.quantization.weight_only import quantize_weight_only
from tests.quantization.graphs import linear, save
from tests.tiny import tiny_onnx

MATRIX = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)
QUANTIZERS = {
    "per batch": lambda source, target: quantize_dynamic_int8(source, target),
    "per token": lambda source, target: quantize_dynamic_int8(source, target, per_token=True),
    "weight only": lambda source, target: quantize_weight_only(source, target, bits=4, block_size=32),
}


@pytest.mark.parametrize("again", QUANTIZERS)
@pytest.mark.parametrize("first", QUANTIZERS)
def test_a_model_that_is_quantized_already_is_refused(tmp_path, first, again):
    QUANTIZERS[first](linear(tmp_path / "float.onnx", MATRIX), tmp_path / "once.onnx")
    with pytest.raises(QuantizationError, match=r"once\.onnx is quantized already \(1 \w+\): name the stage that"):
        QUANTIZERS[again](tmp_path / "once.onnx", tmp_path / "twice.onnx")


@pytest.mark.parametrize("scheme", QUANTIZERS)
def test_a_graph_without_weights_is_refused(tmp_path, scheme):
    source = save(tmp_path / "float.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, ["rows", 4])
    with pytest.raises(QuantizationError, match=r"no float weights in MatMul, Gemm or Gather: nothing was quantized"):
        QUANTIZERS[scheme](source, tmp_path / "it.onnx")


def test_an_operator_that_this_onnxruntime_lacks_is_an_error_that_names_it(tmp_path):
    model = onnx.load(linear(tmp_path / "float.onnx", MATRIX))
    model.graph.node[0].op_type, model.graph.node[0].domain = "MatMulOneBit", "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(QuantizationError, match=r"cannot run the quantized model .*MatMulOneBit.*another scheme"):
        save_finished(model, tmp_path / "it.onnx", embeddings=True)


@pytest.mark.parametrize("scheme", QUANTIZERS)
def test_names_are_short_but_those_of_inputs_and_outputs_stay(tmp_path, scheme):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "it.onnx"
    QUANTIZERS[scheme](source, target)
    before, after = onnx.load(source).graph, onnx.load(target).graph
    assert [one.name for one in after.input] == [one.name for one in before.input]
    assert [one.name for one in after.output] == [one.name for one in before.output]
    own = {one.name for one in (*after.input, *after.output)}
    names = {name for node in after.node for name in (*node.input, *node.output)} - own
    assert max(map(len, names)) <= 2
    onnx.checker.check_model(onnx.load(target))


@pytest.mark.parametrize("scheme", QUANTIZERS)
def test_no_tensor_is_there_twice_and_none_is_unread(tmp_path, scheme):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "it.onnx"
    QUANTIZERS[scheme](source, target)
    graph = onnx.load(target).graph
    contents = [(one.data_type, tuple(one.dims), numpy_helper.to_array(one).tobytes()) for one in graph.initializer]
    assert len(contents) == len(set(contents))
    assert {one.name for one in graph.initializer} <= {name for node in graph.node for name in node.input}


@pytest.mark.parametrize("scheme", ["per token", "weight only"])
def test_an_opset_that_is_too_old_is_an_error(tmp_path, scheme):
    source = linear(tmp_path / "float.onnx", MATRIX, opset=17)
    with pytest.raises(QuantizationError, match=r"opset 17, and this scheme needs 18 or later: export it again"):
        QUANTIZERS[scheme](source, tmp_path / "it.onnx")
