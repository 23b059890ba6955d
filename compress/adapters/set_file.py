"""`adapter_set.json`: where a set's graph takes adapters, and how wide its tables are. Knows no graph."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from compress.adapters.reading import read_bounded
from compress.errors import AdapterError
from compress.frozen import Frozen
from compress.task import Task
from compress.writing import write_text

SET_FILE = "adapter_set.json"
LARGEST_BYTES = 16 << 20
BLOCK = 16
"""Columns of `lora_a` that one product has. onnxruntime shares wider ones out among threads by their columns, in a way
that depends on how many tokens there are, and then adds up in another order: the last bits would depend on padding."""
HEADER_BYTES = 16 << 20
"""Of a safetensors file: more than 16,384 tensors with the longest names need."""
HOW_TO_MAKE = "a set is what the step `adapter_set` makes and a run publishes in runs/<pipeline>/set"

Size = Annotated[int, Field(ge=1, le=1 << 24)]
Module = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Site(Frozen):
    """One linear layer that adapters may change."""

    module: Module
    """Dotted, as in the torch model: `bert.encoder.layer.0.attention.self.query`."""
    first_column: int = Field(ge=0, le=1 << 24)
    """Where its outputs begin in the tensor that the group adds to."""
    outputs: Size


class Group(Frozen):
    """Sites that read the same tensor and add to columns of the same tensor: one product of max_rank x sites."""

    inputs: Size
    outputs: Size
    sites: tuple[Site, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        for site in self.sites:
            if site.first_column + site.outputs > self.outputs:
                raise ValueError(f"{site.module} ends beyond the {self.outputs} columns of its group")
        return self


class HeadLayer(Frozen):
    """One linear layer of the head, which every adapter brings along."""

    module: Module
    inputs: Size
    outputs: Size | None
    """None: the labels, as many as `max_labels`."""


class Base(Frozen):
    """What all adapters of the set are trained on."""

    title: str
    """How people call it: never an absolute path."""
    digest: str
    """Content digest of the pretrained base that deltas must have."""
    licence: str | None = None
    scheme: dict[str, Any] | None = None
    """How the base was quantized; None: float."""


class OwnHead(Frozen):
    """The base's own head, which answers in slot 0."""

    task: Task
    labels: tuple[str, ...] = Field(min_length=1)
    max_length: Size


class SetFile(Frozen):
    """The description of a set; it never changes after the set was made."""

    version: Literal[1] = 1
    title: str
    base: Base
    max_rank: Size
    max_labels: Size
    max_length: Size
    """Tokens, the largest of any adapter."""
    slots: int = Field(default=64, ge=2, le=65_536)
    """How many adapters are held in memory at once; slot 0 is the base."""
    groups: tuple[Group, ...]
    head: tuple[HeadLayer, ...] = Field(min_length=1)
    """In order of computation; the last one's outputs are the labels."""
    own_head: OwnHead | None = None

    @model_validator(mode="after")
    def _head_ends_in_labels(self) -> Self:
        wrong = [layer.module for layer in self.head if (layer.outputs is None) != (layer is self.head[-1])]
        if wrong:
            raise ValueError(f"the last layer of the head, and no other, ends in the labels: look at {wrong[0]}")
        return self

    @model_validator(mode="after")
    def _modules_differ(self) -> Self:
        modules = [site.module for group in self.groups for site in group.sites]
        modules += [layer.module for layer in self.head]
        if twice := sorted({module for module in modules if modules.count(module) > 1}):
            raise ValueError(f"{twice[0]} is named twice")
        return self

    def head_outputs(self, layer: HeadLayer) -> int:
        """Columns of a head layer's table."""
        return self.max_labels if layer.outputs is None else layer.outputs

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one slot of every table, by the name of the graph's input, in the order of the inputs."""
        return table_shapes(self.groups, self.head, max_rank=self.max_rank, max_labels=self.max_labels)

    @property
    def delta_bytes(self) -> int:
        """No weights of a delta that fits have more: every number of a slot once, as a double, and what names them."""
        return 8 * sum(map(math.prod, self.shapes().values())) + HEADER_BYTES

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The description of the set in `folder`.

        Raises: AdapterError when there is none, or it is not one.
        """
        try:
            return cls.model_validate_json(read_bounded(folder / SET_FILE, LARGEST_BYTES))
        except FileNotFoundError as error:
            raise AdapterError(f"{folder} is not an adapter set: it has no {SET_FILE}; {HOW_TO_MAKE}.") from error
        except ValidationError as error:
            raise AdapterError(
                f"{folder / SET_FILE} is not the description of a set: {first_problem(error)}. Make the set again."
            ) from error

    def write(self, folder: Path) -> None:
        """Written whole or not at all."""
        write_text(folder / SET_FILE, self.model_dump_json(indent=2) + "\n")


def table_shapes(
    groups: Sequence[Group], head: Sequence[HeadLayer], *, max_rank: int, max_labels: int
) -> dict[str, tuple[int, ...]]:
    """Of one slot of every table, by the name of the graph's input, in the order of the inputs.

    `lora_a` has a third axis in front, of blocks of `BLOCK` columns, where there are more columns than that.
    """
    found: dict[str, tuple[int, ...]] = {}
    for index, group in enumerate(groups):
        rank = max_rank * len(group.sites)
        blocks = -(-rank // BLOCK)
        columns = rank if blocks == 1 else blocks * BLOCK
        found[f"lora_a.{index}"] = (group.inputs, rank) if blocks == 1 else (blocks, group.inputs, BLOCK)
        found[f"lora_b.{index}"] = (columns, group.outputs)
    for index, layer in enumerate(head):
        outputs = max_labels if layer.outputs is None else layer.outputs
        found[f"head_weight.{index}"] = (layer.inputs, outputs)
        found[f"head_bias.{index}"] = (outputs,)
    return found


def first_problem(error: ValidationError) -> str:
    """Where and what, of pydantic's first finding."""
    found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])
