"""One layer of an encoder run by itself, with the arguments that it got in a run of the whole model.

So what goes on inside a layer is looked at layer by layer, without running all the others each time and without keeping
all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.inference.torch_predictor import inputs_of
from compress.models.layers import encoder_layers


@dataclass
class Calls:
    """A layer and how it was called, batch by batch."""

    layer: nn.Module
    states: list[Tensor] = field(default_factory=list)
    """What came in: (batch, length, width)."""
    arguments: list[tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    """All else: attention mask, position bias."""
    masks: list[Tensor] = field(default_factory=list)
    """(batch, length), true for real tokens."""

    def inputs(self) -> Tensor:
        """What came in for the real tokens: (tokens, width)."""
        return flat(self.states, self.masks)

    @torch.no_grad()
    def seen(self, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """What goes into modules of the layer when it is run again, for the real tokens: (tokens, width) by name."""
        found: dict[str, list[Tensor]] = {name: [] for name in modules}
        with ExitStack() as stack:
            for name, module in modules.items():
                stack.enter_context(_inputs_kept(module, found[name]))
            self.outputs()
        return {name: flat(tensors, self.masks) for name, tensors in found.items()}

    @torch.no_grad()
    def outputs(self) -> list[Tensor]:
        """What the layer answers now: (batch, length, width)."""
        answers = []
        for states, (arguments, keywords) in zip(self.states, self.arguments, strict=True):
            answer = self.layer(states, *arguments, **keywords)
            answers.append(answer[0] if isinstance(answer, tuple) else answer)  # MPNet's layers answer a tuple
        return answers


def flat(tensors: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
    """The real tokens of all batches: (tokens, width)."""
    return torch.cat([one[mask] for one, mask in zip(tensors, masks, strict=True)])


@torch.no_grad()
def recorded(model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]]) -> list[Calls]:
    """Run the model and keep how each of its layers was called."""
    calls = [Calls(layer) for layer in encoder_layers(model)]
    takes = inputs_of(model)
    with ExitStack() as stack:
        for one in calls:
            handle = one.layer.register_forward_pre_hook(_keeper(one), with_kwargs=True)
            stack.callback(handle.remove)
        for batch in batches:
            model(**{name: tensor for name, tensor in batch.items() if name in takes})
            for one in calls:
                one.masks.append(batch["attention_mask"].bool())
    return calls


@torch.no_grad()
def inputs_in_run(
    model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]], modules: Mapping[str, nn.Module]
) -> dict[str, list[Tensor]]:
    """What goes into modules anywhere in the model, batch by batch, and its `logits`."""
    found: dict[str, list[Tensor]] = {name: [] for name in (*modules, "logits")}
    takes = inputs_of(model)
    with ExitStack() as stack:
        for name, module in modules.items():
            stack.enter_context(_inputs_kept(module, found[name]))
        for batch in batches:
            found["logits"].append(model(**{name: one for name, one in batch.items() if name in takes}).logits)
    return found


def _keeper(calls: Calls) -> Any:
    def keep(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        calls.states.append(arguments[0])
        calls.arguments.append((arguments[1:], keywords))

    return keep


def _inputs_kept(module: nn.Module, into: list[Tensor]) -> ExitStack:
    def keep(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        into.append(arguments[0])

    stack = ExitStack()
    stack.callback(module.register_forward_pre_hook(keep).remove)
    return stack
