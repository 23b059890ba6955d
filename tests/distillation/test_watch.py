import pytest
import torch
import transformers

from compress.distillation.layers import attention_projections, encoder_layers
from compress.distillation.watch import Watch
from compress.errors import ModelError
from tests.tiny import FAMILIES, tiny_config

TOKENS = torch.tensor([[5, 6, 7, 8, 9], [5, 9, 8, 7, 6]])


def model_of(family):
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(tiny_config(family, layers=3)).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_those_that_the_library_gives(family):
    model = model_of(family)
    with Watch(model, whose="teacher") as watch, torch.no_grad():
        embeddings, layers = watch.embeddings(), [watch.hidden(layer) for layer in range(3)]
        reference = model(TOKENS, output_hidden_states=True).hidden_states
        for read, expected in zip([embeddings, *layers], reference, strict=True):
            assert torch.equal(read(), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_queries_and_keys_are_those_that_the_attention_is_made_of(family):
    model = model_of(family)
    model.set_attn_implementation("eager")
    with Watch(model, whose="teacher") as watch, torch.no_grad():
        query, key, value = watch.attention(1)
        probabilities = model(TOKENS, output_attentions=True).attentions[1]
        # MPNet adds a bias of relative positions to the scores
        bias = model.base_model.encoder.compute_position_bias(query()) if family == "mpnet" else 0
        heads = [tensor().view(2, 5, 4, 8).transpose(1, 2) for tensor in (query, key)]
        expected = (heads[0] @ heads[1].transpose(-1, -2) / 8**0.5 + bias).softmax(-1)
        assert torch.allclose(probabilities, expected, atol=1e-6)
        assert value().shape == (2, 5, 32)


@pytest.mark.parametrize("family", FAMILIES)
def test_closing_takes_every_hook_off(family):
    model = model_of(family)
    with Watch(model, whose="student") as watch:
        watch.embeddings(), watch.hidden(0), watch.attention(2)
        assert watch.active
    assert not watch.active
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_gradients_flow_through_what_is_watched():
    model = model_of("bert")
    with Watch(model, whose="student") as watch:
        read = watch.hidden(0)
        model(TOKENS)
        read().sum().backward()
    assert attention_projections(model, 0)[0].weight.grad is not None
    assert all(parameter.grad is None for parameter in encoder_layers(model)[1].parameters())


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match="the student has layers 0 to 2, there is no layer 3"):
        Watch(model_of("bert"), whose="student").hidden(3)


def test_an_attention_built_otherwise_is_refused_with_what_to_do():
    model = model_of("bert")
    del encoder_layers(model)[0].attention.self.query
    with pytest.raises(
        ModelError, match=r"values of a 'bert' model are not where those of .* leave attention_relations"
    ):
        attention_projections(model, 0)
