"""A LoRA delta in memory: low-rank updates by module name, and a head of its own. Knows no files."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.task import Task

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Update:
    """What is added to one linear layer: `scale * b @ a` to its weight (outputs, inputs); Hu et al. 2021."""

    a: Array
    """(rank, inputs)."""
    b: Array
    """(outputs, rank)."""
    scale: float
    """alpha / rank, or alpha / sqrt(rank) for rsLoRA."""

    @property
    def rank(self) -> int:
        """Of the update."""
        return int(self.a.shape[0])

    @property
    def inputs(self) -> int:
        """Features that the layer reads."""
        return int(self.a.shape[1])

    @property
    def outputs(self) -> int:
        """Features that the layer writes."""
        return int(self.b.shape[0])


@dataclass(frozen=True)
class Layer:
    """A linear layer that was saved whole."""

    weight: Array
    """(outputs, inputs)."""
    bias: Array
    """(outputs,)."""


@dataclass(frozen=True)
class DeltaFacts:
    """What answers mean, and which base they need."""

    task: Task
    labels: tuple[str, ...]
    """In the order of the logits."""
    max_length: int
    """Tokens; longer texts are cut."""
    base_digest: str
    """Content digest of the pretrained base's files."""


@dataclass(frozen=True)
class Delta:
    """One adapter."""

    updates: Mapping[str, Update]
    """By the dotted name of the layer: `bert.encoder.layer.0.attention.self.query`."""
    head: Mapping[str, Layer]
    """By dotted name; a saved module may have several linear layers: `classifier.dense`, `classifier.out_proj`."""
    facts: DeltaFacts

    @property
    def rank(self) -> int:
        """The largest of its updates."""
        return max(update.rank for update in self.updates.values())
