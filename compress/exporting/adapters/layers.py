"""What linear layers of a torch model read and answer for a few texts; knows no graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from compress.errors import ExportError
from compress.inference.predictor import Array, Batch
from compress.inference.torch_predictor import inputs_of


@dataclass(frozen=True)
class SeenLayer:
    """A linear layer at work: y = x · weightᵀ + bias."""

    module: str
    """Dotted."""
    weight: Array
    """float32 (outputs, inputs)"""
    bias: Array
    """float32 (outputs,)"""
    x: Array
    """float32 (rows, length, inputs), or (rows, inputs) of what sees one token only"""
    y: Array
    """float32, likewise"""

    @property
    def inputs(self) -> int:
        """Width of `x`."""
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Width of `y`."""
        return int(self.weight.shape[0])


def watch_layers(model: PreTrainedModel, modules: Sequence[str], batch: Batch) -> list[SeenLayer]:
    """Each of `modules` while the model answers `batch`, in the order given.

    Raises: ExportError when one is no linear layer of the model, or does not run once a call.
    """
    layers = {module: _linear(model, module) for module in modules}
    calls: dict[str, list[tuple[Array, Array]]] = {module: [] for module in modules}
    hooks = [layer.register_forward_hook(_keep(calls[module])) for module, layer in layers.items()]
    tensors = {name: torch.from_numpy(array) for name, array in batch.items() if name in inputs_of(model)}
    training = model.training
    try:
        model.train(mode=False)
        with torch.inference_mode():
            model(**tensors)
    finally:
        model.train(mode=training)
        for hook in hooks:
            hook.remove()
    return [_seen(module, layer, calls[module]) for module, layer in layers.items()]


def _linear(model: nn.Module, module: str) -> nn.Linear:
    found = dict(model.named_modules()).get(module)
    if not isinstance(found, nn.Linear):
        what = "is not there" if found is None else f"is a {type(found).__name__}"
        raise ExportError(f"{module} {what} in {type(model).__name__}: adapters are added to linear layers.")
    return found


def _keep(calls: list[tuple[Array, Array]]) -> Any:
    def hook(_: nn.Module, given: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
        calls.append((given[0].float().numpy(), answer.float().numpy()))

    return hook


def _seen(module: str, layer: nn.Linear, calls: list[tuple[Array, Array]]) -> SeenLayer:
    if len(calls) != 1:
        raise ExportError(f"{module} runs {len(calls)} times a call: adapters are added to layers that run once.")
    weight = layer.weight.detach().float().numpy()
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().float()
    return SeenLayer(module, weight, bias.numpy(), *calls[0])
