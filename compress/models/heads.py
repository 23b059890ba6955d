"""The head: what a task adds to a pretrained encoder, whatever the family calls it."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from compress.errors import ModelError
from compress.task import Task

ProblemType = Literal["regression", "single_label_classification", "multi_label_classification"]

PROBLEM_TYPES: Mapping[Task, ProblemType] = {
    "text-classification": "single_label_classification",
    "multi-label-classification": "multi_label_classification",
    "text-regression": "regression",
}

_NEW = "new_parameter_names"


def set_head(config: PretrainedConfig, *, task: Task, labels: Sequence[str]) -> None:
    """Write task and labels into the configuration: the head's width follows from them.

    Raises: ModelError when the task cannot have so many labels.
    """
    if task == "text-classification" and len(labels) < 2:
        raise ModelError(f"a classification head needs two labels or more, and there is {len(labels)}: {list(labels)}.")
    if task == "text-regression" and len(labels) != 1:
        raise ModelError(f"a regression head has one output, and there are {len(labels)} labels.")
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = PROBLEM_TYPES[task]


def mark_new(model: nn.Module, names: Sequence[str]) -> None:
    """Remember which parameters the pretrained weights did not have."""
    setattr(model, _NEW, tuple(sorted(names)))


def new_parameters(model: nn.Module) -> tuple[str, ...]:
    """The parameters that were made at random when the base was loaded: the head and, at times, a pooler."""
    return tuple(getattr(model, _NEW, ()))


def renew_head(model: PreTrainedModel, *, seed: int) -> tuple[str, ...]:
    """Draw the head's weights anew, as the family does; the caller's random state is left alone.

    Returns: the names of its parameters.
    """
    renewed: list[str] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for head in head_modules(model):
            for name, weights in model.get_submodule(head).named_parameters(prefix=head):
                weights._is_hf_initialized = False  # type: ignore[attr-defined]  # else it stays as it was loaded
                renewed.append(name)
            model.get_submodule(head).apply(model._init_weights)
    return tuple(renewed)


def head_modules(model: PreTrainedModel) -> tuple[str, ...]:
    """Names of the modules that make up the head, outermost ones: `classifier`; `pre_classifier`, `classifier`.

    Those beside the encoder, and a pooler inside it (`bert.pooler`) only when the base brought no weights for it: a
    pretrained pooler is part of the base, a random one must be trained and saved with the head.

    Raises: ModelError when there is no head.
    """
    beside = [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]
    if not beside or not hasattr(model, model.base_model_prefix):
        raise ModelError(f"{type(model).__name__} has no head of its own beside an encoder.")
    pooler = pooler_name(model)
    is_new = pooler is not None and any(name.startswith(f"{pooler}.") for name in new_parameters(model))
    return (pooler, *beside) if pooler is not None and is_new else tuple(beside)


def pooler_name(model: PreTrainedModel) -> str | None:
    """The dotted name of the encoder's pooler, if it has one with weights."""
    pooler = getattr(model.base_model, "pooler", None)
    has_weights = isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters())
    return f"{model.base_model_prefix}.pooler" if has_weights else None
