"""What a method of `step: prune` is given, and what it gives back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.progress import Progress
from compress.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass
class Subject:
    """The model to prune, which a method may change in place, and what it may read to decide."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    data: Path
    """A Dataset folder: by default the one that the model was trained on."""
    unlabelled: Path | None
    """A Dataset folder of further text."""
    task: Task
    labels: tuple[str, ...]
    max_length: int
    """Tokens, special ones included."""
    seed: int
    progress: Progress
    name: str
    """Of the stage, for messages and bars."""


@dataclass(frozen=True)
class Pruned:
    """What is left."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    details: dict[str, Any]
    """What was found and taken away, as JSON, for the manifest; `said` is one line for the user."""
    figures: dict[str, float] = field(default_factory=dict)
    """What gates may limit, `unknown_rate` say."""
