"""A model whose linear layers and embeddings compute as a quantized graph for a while; its weights put on the grid.

Knows modules; not how they are trained, nor how the graph is made (`dynamic`).
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from compress.errors import QuantizationError
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.first_tokens import first_token_layers
from compress.quantization.simulation.modules import SimulatedEmbedding, SimulatedLinear
from compress.quantization.simulation.ranges import Ranges, leaders
from compress.quantization.simulation.rounding import as_stored

Simulated = SimulatedLinear | SimulatedEmbedding
POSITIONS, TYPES = "position_embeddings", "token_type_embeddings"
"""What BERT, RoBERTa, DistilBERT, MPNet and their relatives call these tables."""


@contextmanager
def simulated(model: nn.Module, arithmetic: Arithmetic, ranges: Ranges | None = None) -> Iterator[dict[str, int]]:
    """Inside, `model` answers as its quantized graph does; its parameters are the same ones inside and outside.

    Args:
        model: float; in training mode gradients go straight through the rounding.
        arithmetic: of the graph.
        ranges: of what linear layers read, where activations are scaled by range; a layer without one is in no graph.

    Yields: how many modules were exchanged, by kind: `linear` and `embedding`.

    Raises: QuantizationError: when there is nothing to exchange, or a layer has a `forward` of its own.
    """
    assert (arithmetic.activations == "by_range") == (ranges is not None)
    names = {module: name for name, module in model.named_modules()}
    places = [
        place for place in _places(model, arithmetic)
        if ranges is None or isinstance(place[2], nn.Embedding) or names[place[2]] in ranges
    ]  # fmt: skip
    few = first_token_layers(model, arithmetic)
    made = {
        plain: _counterpart(plain, names[plain], _of(name, arithmetic, few=plain in few), ranges or {})
        for _, name, plain in places
    }
    try:
        for parent, name, plain in places:
            setattr(parent, name, made[plain])
        yield dict(Counter("linear" if isinstance(plain, nn.Linear) else "embedding" for plain in made))
    finally:
        for parent, name, plain in places:
            plain.train(made[plain].training)
            setattr(parent, name, plain)


def put_on_grid(model: nn.Module, arithmetic: Arithmetic, ranges: Ranges | None = None) -> None:
    """Round every weight to what the quantized file says of it, in place: quantizing it again changes nothing.

    Biases and norms become what 16 bits hold, where the file holds them so.
    """
    with simulated(model, arithmetic, ranges), torch.no_grad():
        for module in model.modules():
            if isinstance(module, Simulated):
                module.weight.copy_(module.on_grid())
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.copy_(as_stored(parameter))


def types_into_positions(model: nn.Module) -> None:
    """Add the first type's vector to every position and take it from every type, in place: their sums stay.

    A lean graph does so when it is exported. Done before, and kept so while the model trains, both tables are rounded
    alike in any graph.
    """
    for module in model.modules():
        positions, types = getattr(module, POSITIONS, None), getattr(module, TYPES, None)
        if isinstance(positions, nn.Embedding) and isinstance(types, nn.Embedding):
            with torch.no_grad():
                first = types.weight[0].clone()
                positions.weight += first
                types.weight -= first


def _places(model: nn.Module, arithmetic: Arithmetic) -> list[tuple[nn.Module, str, nn.Linear | nn.Embedding]]:
    """(parent, name there, layer); a layer with several parents stands in several."""
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) or (isinstance(child, nn.Embedding) and _looked_up(child, arithmetic))
    ]
    if not found:
        raise QuantizationError("The model has no linear layer and no embedding: there is nothing to quantize.")
    return found


def _of(name: str, arithmetic: Arithmetic, *, few: bool) -> Arithmetic:
    """What holds for the layer of that name; `few`: the graph has but the first tokens there."""
    sliced = name == POSITIONS and arithmetic.positions_by_place and arithmetic.embedding_bits == 4
    bits, first = 8 if sliced else arithmetic.embedding_bits, arithmetic.first_tokens if few else None
    return replace(arithmetic, embedding_bits=bits, first_tokens=first)


def _looked_up(table: nn.Embedding, arithmetic: Arithmetic) -> bool:
    """Tables of one number a row stay float in the graph too (`quantization.weights`)."""
    return arithmetic.embedding_bits is not None and table.embedding_dim > 1


def _counterpart(plain: nn.Linear | nn.Embedding, name: str, arithmetic: Arithmetic, ranges: Ranges) -> Simulated:
    """`name`: its dotted one."""
    if type(plain) is nn.Linear:
        return SimulatedLinear(plain, arithmetic, ranges.get(name), leads=name in leaders(ranges))
    if type(plain) is nn.Embedding:
        held = 0 if name.endswith(TYPES) and not plain.weight[0].any() else None
        return SimulatedEmbedding(plain, arithmetic, held=held)
    raise QuantizationError(
        f"{type(plain).__name__} has a forward of its own, so its quantized counterpart is not known: leave "
        "train_quantized out, and quantize the model as it is."
    )
