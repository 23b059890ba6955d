import pytest
import torch
from torch import nn

from compress.errors import QuantizationError
from compress.models.factorised import FactorisedEmbedding
from compress.models.load import load_checkpoint
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.swap import put_on_grid, simulated, types_into_positions
from tests.tiny import tiny_checkpoint

IDS = torch.arange(12).reshape(2, 6)


def test_inside_the_model_is_rounded_and_outside_it_is_as_before(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    modules, names = list(model.modules()), [name for name, _ in model.named_parameters()]
    with torch.no_grad():
        before = model(IDS).logits
        with simulated(model, Arithmetic()) as counted:
            assert [name for name, _ in model.named_parameters()] == names
            inside = model(IDS).logits
        assert torch.equal(model(IDS).logits, before)
    assert counted == {"linear": 14, "embedding": 3}
    assert 0 < (inside - before).abs().max() < 1
    assert list(model.modules()) == modules


def test_what_trains_inside_has_trained_outside_and_the_mode_stays(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    before = model.classifier.weight.detach().clone()
    with simulated(model, Arithmetic(weight_block_size=32, embedding_bits=4)):
        model.train()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        model(IDS).logits.square().sum().backward()
        optimiser.step()
    assert not torch.equal(model.classifier.weight, before)
    assert all(weights.grad is not None for weights in model.parameters())
    assert all(module.training for module in model.modules())


def test_a_layer_with_two_places_trains_once_and_tables_that_stay_float_are_left():
    shared = nn.Linear(8, 8)
    model = nn.Sequential(nn.Embedding(4, 8), nn.Embedding(4, 1), shared, nn.ModuleList([shared]))
    with simulated(model, Arithmetic(embedding_bits=None)) as counted:
        assert model[2] is model[3][0] is not shared
        assert type(model[0]) is nn.Embedding
    assert counted == {"linear": 1}
    with simulated(model, Arithmetic()) as counted:
        assert type(model[1]) is nn.Embedding, "rows of one number stay float in the graph"
    assert counted == {"linear": 1, "embedding": 1}
    assert model[2] is model[3][0] is shared


def test_both_factors_of_an_embedding_are_rounded():
    model = nn.Sequential(FactorisedEmbedding(20, 4, 16))
    with simulated(model, Arithmetic()) as counted:
        model(torch.arange(3))
    assert counted == {"linear": 1, "embedding": 1}


def test_on_the_grid_the_simulated_model_answers_as_before_and_nothing_moves_again(tmp_path):
    for arithmetic in (Arithmetic(), Arithmetic(weight_block_size=32, embedding_bits=4)):
        model = load_checkpoint(tiny_checkpoint(tmp_path, hidden=64))
        with torch.no_grad(), simulated(model, arithmetic):
            before = model(IDS).logits
        put_on_grid(model, arithmetic)
        once = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        put_on_grid(model, arithmetic)
        with torch.no_grad(), simulated(model, arithmetic):
            after = model(IDS).logits
        assert (after - before).abs().max() < 5e-3, "norms and biases went to 16 bits"
        assert all(torch.allclose(tensor, once[name], rtol=1e-6, atol=0) for name, tensor in model.state_dict().items())


def test_the_first_type_stands_in_the_positions_and_stays_there(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    types = torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    with torch.no_grad():
        before = model(IDS, token_type_ids=types).logits
        types_into_positions(model)
        assert torch.allclose(model(IDS, token_type_ids=types).logits, before, atol=1e-5)
    table = model.bert.embeddings.token_type_embeddings.weight
    assert not table[0].any()
    with simulated(model, Arithmetic()):
        model(IDS, token_type_ids=types).logits.sum().backward()
    assert not table.grad[0].any()
    assert table.grad[1].any()


class Odd(nn.Linear):
    """A layer with a forward of its own."""


def test_what_cannot_be_simulated_is_refused_by_name():
    for model, message in ((Odd(2, 2), "Odd has a forward of its own"), (nn.ReLU(), "there is nothing to quantize")):
        with pytest.raises(QuantizationError, match=message), simulated(nn.Sequential(model), Arithmetic()):
            pass
