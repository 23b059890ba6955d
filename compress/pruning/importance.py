"""How important each attention head and each feed-forward neuron is; nothing is removed here.

First-order Taylor: give every head (neuron) h a gate of 1 that its output is multiplied by, for each row apart; the
loss would change by about -dL/dgate if the gate were closed, and dL/dgate is the sum over positions of activation
times gradient. The score is the sum over rows of |dL/dgate|. transformers 5 has no `head_mask`, so the gates are hooks
before the matrix that reads the heads (neurons).

Sources: Michel et al., "Are Sixteen Heads Really Better than One?", 2019, section 4.1; Molchanov et al., "Importance
Estimation for Neural Network Pruning", 2019, section 3.1. Magnitude: the L2 norm of all weights that would go, as
torch-pruning's group magnitude (Fang et al., "DepGraph", 2023) has it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.models.blocks import Block, blocks
from compress.objectives.hard_labels import hard_labels_loss
from compress.progress import Progress
from compress.task import Task
from compress.training.labelled_rows import LabelledRows
from compress.training.losses import inputs_of


@dataclass(frozen=True)
class Scores:
    """Larger is more important; one tensor a layer, bottom first."""

    heads: list[Tensor]
    """float64 (heads,) each."""
    neurons: list[Tensor]
    """float64 (neurons,) each."""


def taylor_scores(
    model: PreTrainedModel, rows: LabelledRows, *, task: Task, batch_size: int, progress: Progress, description: str
) -> Scores:
    """The sum over rows of |dL/dgate|, for all layers in one pass; the model is not changed.

    Args:
        model: of a family that `blocks` knows, in evaluation mode.
        rows: labelled, of the training split.
        task: decides the loss.
        batch_size: rows at a time; every row has gates of its own, so the scores do not depend on it.
        progress: told the rows that are done.
        description: what the bar is called.
    """
    found = blocks(model)
    heads, neurons = _zeros([block.heads for block in found]), _zeros([block.neurons for block in found])
    with progress.track(description, len(rows)) as advance:
        for batch in rows.batches(batch_size):
            of_heads, of_neurons = _gradients(model, found, batch, task=task)
            for total, new in zip([*heads, *neurons], [*of_heads, *of_neurons], strict=True):
                total += new.abs().sum(dim=0)
            advance(len(batch["labels"]))
    return Scores(heads, neurons)


def magnitude_scores(model: PreTrainedModel) -> Scores:
    """The L2 norm of everything that would be removed: weights and biases into the head (neuron), weights out of it."""
    found = blocks(model)
    with torch.no_grad():
        heads = [
            _by_head(_rows(block.query) + _rows(block.key) + _rows(block.value) + _columns(block.output), block)
            for block in found
        ]
        neurons = [(_rows(block.widen) + _columns(block.narrow)).sqrt() for block in found]
    return Scores(heads, neurons)


def _gradients(
    model: PreTrainedModel, found: list[Block], batch: dict[str, Tensor], *, task: Task
) -> tuple[list[Tensor], list[Tensor]]:
    """dL/dgate of each layer's heads (rows, heads) and neurons (rows, neurons), float64; L is a sum over rows."""
    rows = len(batch["labels"])
    of_heads = [torch.ones(rows, block.heads, requires_grad=True) for block in found]
    of_neurons = [torch.ones(rows, block.neurons, requires_grad=True) for block in found]
    with torch.enable_grad(), _gated(found, of_heads, of_neurons):
        logits = model(**inputs_of(batch)).logits
        loss = hard_labels_loss(logits, batch["labels"], task=task) * rows
        gradients = torch.autograd.grad(loss, [*of_heads, *of_neurons])
    doubles = [gradient.double() for gradient in gradients]
    return doubles[: len(found)], doubles[len(found) :]


@contextmanager
def _gated(found: list[Block], of_heads: list[Tensor], of_neurons: list[Tensor]) -> Iterator[None]:
    """Inside, what the output projection and the narrowing matrix read is multiplied by the gates."""
    handles = []
    for block, heads, neurons in zip(found, of_heads, of_neurons, strict=True):
        handles.append(block.output.register_forward_pre_hook(_gate(heads, width=block.head_size)))
        handles.append(block.narrow.register_forward_pre_hook(_gate(neurons, width=1)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _gate(gates: Tensor, *, width: int) -> Any:
    """A hook: columns (batch, length, gates x width) of the input times their gate (batch, gates)."""

    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0] * gates.repeat_interleave(width, dim=1)[:, None, :], *args[1:])

    return hook


def _zeros(sizes: list[int]) -> list[Tensor]:
    return [torch.zeros(size, dtype=torch.float64) for size in sizes]


def _rows(linear: nn.Linear) -> Tensor:
    """Squares of the weights and the bias that make each output, float64 (outputs,)."""
    bias = 0 if linear.bias is None else linear.bias.double().square()
    return linear.weight.double().square().sum(dim=1) + bias


def _columns(linear: nn.Linear) -> Tensor:
    """Squares of the weights that read each input, float64 (inputs,)."""
    return linear.weight.double().square().sum(dim=0)


def _by_head(squares: Tensor, block: Block) -> Tensor:
    return squares.reshape(block.heads, block.head_size).sum(dim=1).sqrt()
