"""`sensitivity.json`: what each part of one model costs in few bits while everything else stays float.

A contract between the step that measures it, the schemes that choose by it, and the report that draws it. Knows no
graph.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from compress.errors import StoreError
from compress.frozen import Frozen
from compress.precision import Quantized
from compress.writing import write_text

SENSITIVITY = "sensitivity.json"


class MeasuredPart(Frozen):
    """One part of the model in one precision, all else float."""

    part: str
    """Its name: the output of its first operator in the float graph, or the layer's module."""
    module: str
    """Where it stands in the model, for people."""
    kind: Literal["product", "embedding", "layer"]
    operators: tuple[str, ...]
    """Outputs of its operators in the float graph; several where they share a weight or make up a layer."""
    precision: Quantized
    mse: float = Field(ge=0)
    """Mean squared difference of the logits from the float model's."""
    kl: float | None = Field(ge=0)
    """Mean divergence of the answers from the float model's, in nats a row; none for regression."""
    figure: float
    """The task's main figure."""
    drop: float
    """How much worse than float that is; negative where it is better."""
    bytes_saved: int
    """Of the graph's file."""

    @property
    def loss(self) -> float:
        """What parts are ranked by: the divergence of the answers, or for regression the squared difference."""
        return self.mse if self.kl is None else self.kl


class SensitivityReport(Frozen):
    """The parts, the most sensitive first."""

    version: Literal[1] = 1
    model: str
    """Digest of the float model that it is about."""
    by: Literal["operator", "layer"]
    split: str
    """Of the model's data set."""
    rows: int
    """That were read."""
    primary: str
    """The task's main figure."""
    value: float
    """The float model's."""
    float_bytes: int
    """Of the float graph."""
    block_size: int
    """Weights that share a scale where they have 4 bits."""
    parts: tuple[MeasuredPart, ...]

    @classmethod
    def read(cls, folder: Path) -> "SensitivityReport":
        """The report in `folder`. Raises: StoreError when there is none or it is not one."""
        try:
            return cls.model_validate_json((folder / SENSITIVITY).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{folder / SENSITIVITY} is no sensitivity report: {error}") from error

    def write(self, folder: Path) -> None:
        """Written whole or not at all."""
        write_text(folder / SENSITIVITY, self.model_dump_json(indent=2) + "\n")

    def in_precision(self, precision: Quantized) -> tuple[MeasuredPart, ...]:
        """The parts that were measured in it, the most sensitive first."""
        return tuple(part for part in self.parts if part.precision == precision)


def ranked(parts: list[MeasuredPart]) -> tuple[MeasuredPart, ...]:
    """The most sensitive first; of equal ones by name, so that the order is the same every time."""
    return tuple(sorted(parts, key=lambda one: (-one.loss, -one.mse, one.part, one.precision)))
