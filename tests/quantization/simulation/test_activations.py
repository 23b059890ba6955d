import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from compress.quantization.simulation.activations import by_batch, by_token

X = np.random.default_rng(1).normal(size=(2, 5, 12)).astype(np.float32)


def test_by_token_every_token_has_its_own_scale_and_one_of_zeros_stays_zero():
    x = torch.from_numpy(X.copy())
    x[1, 2] = 0
    codes, scales = by_token(x)
    assert scales.shape == (2, 5, 1)
    assert codes.abs().amax(dim=-1).flatten().tolist() == [127] * 7 + [0] + [127] * 2
    assert torch.allclose(codes * scales, x, atol=float(scales.max()) / 2 * 1.001)
    alone, _ = by_token(x[:1, :1])
    assert torch.equal(alone, codes[:1, :1])


@pytest.mark.parametrize("shift", [0.0, 5.0, -5.0])
def test_by_batch_is_onnx_s_dynamic_quantize_linear(shift):
    x = X + np.float32(shift)
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero"])
    outputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in
               (("codes", TensorProto.UINT8), ("scale", TensorProto.FLOAT), ("zero", TensorProto.UINT8))]  # fmt: skip
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    expected, scale, zero = ReferenceEvaluator(model).run(None, {"x": x})
    codes, found = by_batch(torch.from_numpy(x))
    assert float(found) == pytest.approx(float(scale), rel=1e-6)
    assert np.array_equal(codes.numpy(), expected.astype(np.float32) - np.float32(zero))


@pytest.mark.parametrize("quantize", [by_token, by_batch])
def test_zeros_alone_stay_zeros_and_gradients_go_straight_through(quantize):
    codes, scales = quantize(torch.zeros(1, 3, 4))
    assert not (codes * scales).any()
    x = torch.from_numpy(X).requires_grad_()
    codes, scales = quantize(x)
    (codes * scales).sum().backward()
    assert torch.allclose(x.grad, torch.ones_like(x))
