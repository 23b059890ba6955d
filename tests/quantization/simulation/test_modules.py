import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.modules import SimulatedEmbedding, SimulatedLinear
from tests.quantization.graphs import linear as linear_graph
from tests.quantization.graphs import run

INPUTS, OUTPUTS = 70, 96  # an uneven last block, and vectors that the file holds in 16 bits
SCHEMES = {
    "int8": Arithmetic(),
    "int4": Arithmetic(weight_block_size=32),
    "int4_reduced": Arithmetic(weight_block_size=16, reduce_range=True),
    "tensor": Arithmetic(per_channel=False),
    "reduced": Arithmetic(reduce_range=True),
    "batch": Arithmetic(activations="by_batch"),
    "batch_tensor_reduced": Arithmetic(activations="by_batch", per_channel=False, reduce_range=True),
}


def layer(seed: int = 0) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(INPUTS, OUTPUTS)


def quantized(folder, plain: nn.Linear, arithmetic: Arithmetic):
    matrix, bias = plain.weight.detach().numpy().T.copy(), plain.bias.detach().numpy()
    source = linear_graph(folder / "float.onnx", matrix, bias)
    quantize_dynamic_int8(
        source, folder / "int8.onnx", per_token=arithmetic.activations == "by_token",
        per_channel=arithmetic.per_channel, reduce_range=arithmetic.reduce_range,
        weight_block_size=arithmetic.weight_block_size, embedding_bits=None,
    )  # fmt: skip
    return folder / "int8.onnx"


@pytest.mark.parametrize("name", SCHEMES)
def test_a_linear_layer_answers_as_the_quantized_graph(tmp_path, name):
    plain, x = layer(), np.random.default_rng(0).normal(size=(3, 7, INPUTS)).astype(np.float32)
    x[0, 1] = 0
    expected = run(quantized(tmp_path, plain, SCHEMES[name]), x)
    with torch.no_grad():
        found = SimulatedLinear(plain, SCHEMES[name])(torch.from_numpy(x)).numpy()
        float_answer = plain(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected).max() < 2e-6
    assert np.abs(found - float_answer).max() > 1e-3, "nothing was rounded"


@pytest.mark.parametrize("name", SCHEMES)
def test_weights_on_the_grid_are_quantized_to_themselves(name):
    plain, x = layer(), torch.randn(4, INPUTS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = SimulatedLinear(plain, SCHEMES[name])(x)
        plain.weight.copy_(SimulatedLinear(plain, SCHEMES[name]).on_grid())
        once = plain.weight.clone()
        after = SimulatedLinear(plain, SCHEMES[name])(x)
        assert torch.allclose(SimulatedLinear(plain, SCHEMES[name]).on_grid(), once, rtol=1e-6, atol=0)
    assert torch.allclose(after, before, atol=1e-6)


def test_a_gradient_is_that_of_the_rounded_numbers():
    plain = layer()
    x = torch.randn(5, INPUTS, generator=torch.Generator().manual_seed(2), requires_grad=True)
    simulated = SimulatedLinear(plain, Arithmetic())
    simulated(x).sum().backward()
    near = simulated.on_grid().detach()
    assert torch.allclose(x.grad, near.sum(dim=0).expand_as(x), atol=1e-4)
    scale = x.detach().abs().amax(dim=-1, keepdim=True) / 127
    near_x = (x.detach() / scale).round() * scale
    assert torch.allclose(plain.weight.grad, near_x.sum(dim=0).expand_as(plain.weight), rtol=1e-3, atol=1e-4)
    assert torch.equal(plain.bias.grad, torch.full((OUTPUTS,), 5.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_grid(dtype):
    plain, x = layer(), torch.randn(4, INPUTS, generator=torch.Generator().manual_seed(3))
    simulated = SimulatedLinear(plain, Arithmetic(weight_block_size=32))
    with torch.no_grad():
        exact = simulated(x)
        with torch.autocast("cpu", dtype=dtype):
            found = simulated(x)
    assert found.isfinite().all()
    assert torch.allclose(found, exact, atol=float(exact.abs().max()) * 2**-8)


def lookup(folder, table, ids, *, bits: int):
    """What the quantized Gather answers."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["y"])], "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), folder / "f.onnx")
    quantize_dynamic_int8(folder / "f.onnx", folder / "q.onnx", per_token=True, embedding_bits=bits)
    session = onnxruntime.InferenceSession(str(folder / "q.onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": ids})[0]


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("width", [48, 10, 17])
@pytest.mark.parametrize("factor", [1.0, 1e-9])
def test_an_embedding_answers_as_the_quantized_lookup(tmp_path, bits, width, factor):
    plain = nn.Embedding(20, width, padding_idx=0)
    table = (np.random.default_rng(width).normal(size=(20, width)) * factor).astype(np.float32)
    table[0] = 0
    ids = np.arange(20)[::-1].copy()
    with torch.no_grad():
        plain.weight.copy_(torch.from_numpy(table))
        simulated = SimulatedEmbedding(plain, Arithmetic(embedding_bits=bits))
        found = simulated(torch.from_numpy(ids)).numpy()
        once = simulated.on_grid()
        plain.weight.copy_(once)
        again = SimulatedEmbedding(plain, Arithmetic(embedding_bits=bits)).on_grid()
    assert torch.allclose(again, once, rtol=1e-6, atol=0)
    assert np.array_equal(found, lookup(tmp_path, table, ids, bits=bits))


def test_an_embedding_trains_the_rows_that_are_looked_up():
    plain = nn.Embedding(6, 32, padding_idx=0)
    SimulatedEmbedding(plain, Arithmetic(embedding_bits=8))(torch.tensor([[1, 1, 0, 4]])).sum().backward()
    assert plain.weight.grad.sum(dim=1).tolist() == [0, 64, 0, 0, 32, 0]
