from dataclasses import replace

import pytest
import torch
from onnx import helper

from compress.models.blocks import blocks
from compress.models.load import load_checkpoint
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.ranges import FOLLOWS, MovingRange, seen_ranges
from compress.quantization.simulation.swap import simulated
from compress.quantization.static import scale_and_zero
from tests.quantization.graphs import run, save
from tests.tiny import FAMILIES, tiny_checkpoint

IDS = torch.arange(12).reshape(2, 6)
BY_RANGE = Arithmetic(activations="by_range")


@pytest.mark.parametrize("ends", [(-1.5, 2.25), (0.5, 3.0), (-3.0, -0.5), (0.0, 0.0)])
def test_codes_are_those_of_quantize_linear_with_the_graph_s_scale(tmp_path, ends):
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)) * 2
    scale, zero = scale_and_zero(*ends)
    there = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    nodes = [there, helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    expected = run(save(tmp_path / "q.onnx", nodes, {"s": scale, "z": zero}, [2, 3, 8]), x.numpy())
    codes, step = MovingRange(*ends).eval()(x)
    assert torch.allclose(codes * step, torch.from_numpy(expected), rtol=1e-6, atol=0)


def test_a_range_follows_in_training_only_and_what_is_beyond_has_no_gradient():
    within = MovingRange(-1.0, 1.0)
    x = torch.tensor([[0.5, 3.0, -0.5]], requires_grad=True)
    codes, scale = within.eval()(x)
    (codes * scale).sum().backward()
    assert x.grad.tolist() == [[1, 0, 1]]
    assert within.ends() == (-1.0, 1.0)
    within.follow(x)
    assert within.ends() == (-1.0, 1.0)
    within.train().follow(x)
    assert within.ends() == pytest.approx((-1 + 0.5 * FOLLOWS, 1 + 2 * FOLLOWS))


def test_layers_that_read_one_tensor_share_a_range_of_all_that_was_seen(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    ranges = seen_ranges(model, [{"input_ids": IDS, "labels": IDS[:, 0]}, {"input_ids": IDS[:, :3]}], BY_RANGE)
    assert len(ranges) == 14
    attention = "bert.encoder.layer.0.attention.self"
    assert ranges[f"{attention}.query"] is ranges[f"{attention}.key"] is ranges[f"{attention}.value"]
    assert len({id(one) for one in ranges.values()}) == 10
    read = []
    handle = model.bert.pooler.dense.register_forward_pre_hook(lambda module, arguments: read.append(arguments[0]))
    with torch.no_grad():
        model(input_ids=IDS)
        model(input_ids=IDS[:, :3])
    handle.remove()
    both = torch.cat([one.flatten() for one in read])
    assert ranges["bert.pooler.dense"].ends() == (float(both.min()), float(both.max()))


def test_a_shared_range_moves_once_a_batch(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    ranges = seen_ranges(model, [{"input_ids": IDS}], BY_RANGE)
    within, read = ranges["bert.encoder.layer.0.attention.self.key"], []
    low, high = within.ends()
    with torch.no_grad(), simulated(model, BY_RANGE, ranges):
        model.bert.encoder.layer[0].attention.self.key.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        model.train()(input_ids=IDS)
    (x,) = read
    moved = (low + FOLLOWS * (float(x.min()) - low), high + FOLLOWS * (float(x.max()) - high))
    assert within.ends() == pytest.approx(moved, rel=1e-6)
    assert moved != (low, high)


@pytest.mark.parametrize("family", FAMILIES)
def test_behind_the_last_attention_of_a_lean_graph_only_the_first_tokens_count(tmp_path, family):
    model = load_checkpoint(tiny_checkpoint(tmp_path, family))
    last, read = blocks(model)[-1], []
    handle = last.widen.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    every, first = (
        seen_ranges(model, [{"input_ids": IDS}], replace(BY_RANGE, first_tokens=tokens)) for tokens in (None, 2)
    )
    handle.remove()
    names = {module: name for name, module in model.named_modules()}
    other = {name for name in every if every[name].ends() != first[name].ends()}
    assert other <= {names[one] for one in (last.output, last.widen, last.narrow)}
    seen = read[-1][:, :2]
    assert first[names[last.widen]].ends() == (float(seen.min()), float(seen.max()))
    assert every[names[last.widen]].ends() == (float(read[-1].min()), float(read[-1].max()))


def test_a_layer_that_is_never_run_stays_float(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    model.unused = torch.nn.Linear(2, 2)
    ranges = seen_ranges(model, [{"input_ids": IDS}], BY_RANGE)
    with simulated(model, BY_RANGE, ranges) as counted:
        assert type(model.unused) is torch.nn.Linear
        assert torch.isfinite(model(input_ids=IDS).logits).all()
    assert counted == {"linear": 14, "embedding": 3}
