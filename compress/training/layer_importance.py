"""How much each encoder layer is missed: the model is asked again with the layer left out.

Measured, not estimated: a layer left out passes its input on, which is exactly what taking it away does. Leaves the
model as it was. Both `prune` (`kind: layers`) and `distill` (`layers: {by: importance}`) use it.

Source: Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", 2023, section 3
(contribution based and greedy dropping).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.layers import encoder_layers_name, stack_of
from compress.progress import Advance, Progress
from compress.task import Task
from compress.training.labelled_rows import LabelledRows, figures_on
from compress.training.validation import rank_of


@dataclass(frozen=True)
class LayersKept:
    """Which layers stay, and what was measured on the way."""

    kept: tuple[int, ...]
    """Counted from 0 in the model that was given, bottom first."""
    removed: tuple[int, ...]
    """In the order in which they went."""
    figures: dict[str, dict[str, float]]
    """Loss and score of the whole model (`all`) and of the model without each layer (`0`, `1`, …)."""


def layer_figures(
    model: PreTrainedModel,
    rows: LabelledRows,
    *,
    task: Task,
    removed: Sequence[int] = (),
    progress: Progress,
    description: str,
) -> dict[int, dict[str, float]]:
    """What the model reaches on `rows` without each of its layers, in turn: `loss`, and the task's score.

    Args:
        model: BERT, RoBERTa, DistilBERT, MPNet or alike, with a head; unchanged afterwards.
        rows: labelled, of the validation split.
        task: decides loss and score.
        removed: layers that are left out in every measurement, and so not measured.
        progress: told the rows that are done.
        description: what the bar is called.

    Returns: {layer: {"loss": …, "accuracy": …}} of each layer that is not in `removed`. The layer whose absence
        leaves the best figures (`rank_of`) is the least important one.

    Raises: ModelError for a family whose layers do more than follow each other.
    """
    present = [layer for layer in range(len(stack_of(model))) if layer not in removed]
    with progress.track(description, len(present) * len(rows)) as advance:
        return {layer: _figures(model, rows, {*removed, layer}, task=task, advance=advance) for layer in present}


def layers_to_keep(
    model: PreTrainedModel,
    rows: LabelledRows,
    *,
    keep: int,
    greedy: bool = True,
    task: Task,
    progress: Progress,
    description: str,
) -> LayersKept:
    """The `keep` layers that are missed most; the model is not changed.

    Args:
        model: as in `layer_figures`.
        rows: labelled, of the validation split.
        keep: how many layers stay.
        greedy: take out the least important layer, measure the rest again, and so on; else measure once.
        task: decides loss and score.
        progress: told the rows that are done.
        description: what the bar is called.

    Raises: ModelError when `keep` is none or all of the layers.
    """
    check_layers(model, keep=keep)
    available = len(stack_of(model))
    removed: list[int] = []
    figures: dict[int, dict[str, float]] = {}
    with progress.track(description, len(rows)) as advance:
        whole = _figures(model, rows, set(), task=task, advance=advance)
    while len(removed) < available - keep:
        found = layer_figures(model, rows, task=task, removed=removed, progress=progress, description=description)
        figures = figures or found
        least = sorted(found, key=lambda layer: rank_of(found[layer], task=task), reverse=True)
        removed += least[:1] if greedy else least[: available - keep]
    kept = tuple(layer for layer in range(available) if layer not in removed)
    said = {"all": whole, **{str(layer): one for layer, one in figures.items()}}
    return LayersKept(kept, tuple(removed), said)


def check_layers(model: PreTrainedModel, *, keep: int) -> None:
    """Raises: ModelError when `keep` layers are none or all of what the model has, or its family is not known."""
    available = len(stack_of(model))
    if not 1 <= keep < available:
        raise ModelError(
            f"keep: {keep} of {available} layers leaves nothing to take away: "
            + (f"keep 1 to {available - 1}." if available > 1 else "the model has a single layer, which must stay.")
        )


@contextmanager
def _without(model: PreTrainedModel, removed: set[int]) -> Iterator[None]:
    """The model runs without those layers inside, and has them again afterwards."""
    path = encoder_layers_name(model)
    parent, _, name = path.rpartition(".")
    whole = model.get_submodule(path)
    assert isinstance(whole, nn.ModuleList)
    setattr(model.get_submodule(parent), name, nn.ModuleList(one for n, one in enumerate(whole) if n not in removed))
    try:
        yield
    finally:
        setattr(model.get_submodule(parent), name, whole)


def _figures(
    model: PreTrainedModel, rows: LabelledRows, removed: set[int], *, task: Task, advance: Advance
) -> dict[str, float]:
    """Loss and score of the model without those layers."""
    with _without(model, removed):
        return figures_on(rows, model, task=task, advance=advance)
