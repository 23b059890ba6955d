import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from compress.errors import QuantizationError
from compress.exporting.nodes import count_nodes, save_optimised
from compress.quantization.dynamic import quantize_dynamic_int8
from tests.quantization.answers import logits
from tests.tiny import FAMILIES, tiny_fused, tiny_onnx, tiny_texts

LAYERS = 2
INSIDE = 6 * LAYERS  # query, key, value, output, two of the feed-forward network
HEAD = {"bert": 2, "distilbert": 2, "roberta": 2, "mpnet": 2}
LOOKUPS = {"bert": 3, "distilbert": 2, "roberta": 3, "mpnet": 3}  # MPNet: positions relative to each other too


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_quantized_and_counted(tmp_path, family):
    source, target = tiny_onnx(tmp_path, family) / "model.onnx", tmp_path / "int8.onnx"
    found = quantize_dynamic_int8(source, target)
    nodes = count_nodes(target)
    assert found.quantized["MatMul"] + found.quantized.get("Gemm", 0) == INSIDE + HEAD[family]
    assert found.quantized["Gather"] == LOOKUPS[family]
    assert nodes["MatMulInteger"] == INSIDE + HEAD[family]
    assert found.activation_products == nodes["MatMul"] == 2 * LAYERS
    onnx.checker.check_model(str(target), full_check=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_stay_near_those_of_the_float_model(tmp_path, family):
    folder = tiny_onnx(tmp_path, family)
    texts, _ = tiny_texts(rows=12)
    wanted = logits(folder, texts)
    quantize_dynamic_int8(folder / "model.onnx", folder / "int8.onnx")
    (folder / "int8.onnx").replace(folder / "model.onnx")
    assert np.abs(logits(folder, texts) - wanted).max() < 0.1 * np.ptp(wanted)


def test_a_weight_takes_about_one_byte_and_onnxruntime_makes_none_float_again(tmp_path):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx"
    quantize_dynamic_int8(source, target)
    weights = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(source).graph.initializer)
    save_optimised(target, tmp_path / "optimised.onnx", basic=False)
    for file in (target, tmp_path / "optimised.onnx"):
        tensors = onnx.load(file).graph.initializer
        assert not [one.name for one in tensors if one.data_type == TensorProto.FLOAT and np.prod(one.dims[1:]) > 1]
        bytes_inside = sum(numpy_helper.to_array(tensor).nbytes for tensor in tensors)
        assert weights <= bytes_inside <= 1.5 * weights, "a tiny model: scales and biases are many beside 32-wide rows"


def test_no_tensor_is_there_twice_and_none_is_unread(tmp_path):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx"
    quantize_dynamic_int8(source, target)
    graph = onnx.load(target).graph
    contents = [(one.data_type, tuple(one.dims), numpy_helper.to_array(one).tobytes()) for one in graph.initializer]
    assert len(contents) == len(set(contents))
    assert {one.name for one in graph.initializer} <= {name for node in graph.node for name in node.input}


def test_the_same_model_gives_the_same_bytes(tmp_path):
    source = tiny_onnx(tmp_path) / "model.onnx"
    for name in ("one.onnx", "two.onnx"):
        quantize_dynamic_int8(source, tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_per_channel_is_nearer_than_per_tensor_when_channels_differ(tmp_path):
    folder = tiny_onnx(tmp_path)
    model = onnx.load(folder / "model.onnx")
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 2 and "embeddings" not in tensor.name:
            array = numpy_helper.to_array(tensor) * np.linspace(0.05, 2, tensor.dims[1], dtype=np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, folder / "model.onnx")
    texts, _ = tiny_texts(rows=12)
    wanted, errors = logits(folder, texts), {}
    (folder / "model.onnx").rename(folder / "float.onnx")
    for per_channel in (True, False):
        quantize_dynamic_int8(
            folder / "float.onnx", folder / "model.onnx", per_channel=per_channel, embedding_bits=None
        )
        errors[per_channel] = np.abs(logits(folder, texts) - wanted).mean()
    assert errors[True] < errors[False]


def test_embeddings_may_stay_float(tmp_path):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx"
    assert "Gather" not in quantize_dynamic_int8(source, target, embedding_bits=None).quantized
    before = {one.name: one for one in onnx.load(source).graph.initializer}["bert.embeddings.word_embeddings.weight"]
    assert before.raw_data in {one.raw_data for one in onnx.load(target).graph.initializer}


@pytest.mark.parametrize("per_token", [False, True])
def test_reduced_range_keeps_weights_within_seven_bits(tmp_path, per_token):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx"
    quantize_dynamic_int8(source, target, per_token=per_token, reduce_range=True)
    graph = onnx.load(target).graph
    read = {node.input[1] for node in graph.node if node.op_type in {"MatMulInteger", "MatMulIntegerToFloat"}}
    codes = [numpy_helper.to_array(one) for one in graph.initializer if one.name in read]
    assert codes
    assert max(np.abs(array.astype(int)).max() for array in codes) == 64


def test_embeddings_of_4_bits_go_with_products_per_batch(tmp_path):
    source, target = tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx"
    found = quantize_dynamic_int8(source, target, embedding_bits=4)
    nodes = count_nodes(target)
    assert nodes["GatherBlockQuantized"] == found.quantized["Gather"] == LOOKUPS["bert"]
    assert nodes["MatMulInteger"] == INSIDE + HEAD["bert"]


def test_weights_of_4_bits_need_products_per_token(tmp_path):
    with pytest.raises(ValueError, match="per token"):
        quantize_dynamic_int8(tiny_onnx(tmp_path) / "model.onnx", tmp_path / "int8.onnx", weight_block_size=32)


def test_fused_attention_that_stays_float_is_an_error(tmp_path):
    with pytest.raises(QuantizationError, match=r"2 of the nodes .* stayed float: Attention with .*fuse: false"):
        quantize_dynamic_int8(tiny_fused(), tmp_path / "int8.onnx")
