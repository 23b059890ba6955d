"""`manifest.json` of a delta: what its answers mean. Reads the keys it needs and ignores the rest."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from compress.adapters.delta import DeltaFacts
from compress.adapters.reading import read_bounded
from compress.adapters.set_file import first_problem
from compress.errors import AdapterError
from compress.task import Task

MANIFEST = "manifest.json"
LARGEST_BYTES = 16 << 20
HOW_TO_MAKE = "a delta is what the step `finetune_lora` makes"

Label = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _Manifest(BaseModel):
    """The keys that answering needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["LoraDelta"]
    task: Task
    labels: tuple[Label, ...] = Field(min_length=1, max_length=65_536)
    max_length: int = Field(ge=1, le=65_536)
    base_digest: str = Field(min_length=1, max_length=200)

    @field_validator("labels")
    @classmethod
    def _differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError("a label is named twice")
        return labels


def read_facts(folder: Path) -> DeltaFacts:
    """What the manifest in `folder` says.

    Raises: AdapterError when there is none, or it is not a delta's.
    """
    try:
        said = _Manifest.model_validate_json(read_bounded(folder / MANIFEST, LARGEST_BYTES))
    except FileNotFoundError as error:
        raise AdapterError(f"{folder} has no {MANIFEST}, which says task and labels; {HOW_TO_MAKE}.") from error
    except ValidationError as error:
        raise AdapterError(
            f"{folder / MANIFEST} is not the manifest of a LoRA delta: {first_problem(error)}; {HOW_TO_MAKE}."
        ) from error
    facts = DeltaFacts(said.task, said.labels, said.max_length, said.base_digest)
    _check_task(facts, folder)
    return facts


def _check_task(facts: DeltaFacts, folder: Path) -> None:
    count = len(facts.labels)
    if (facts.task == "text-regression" and count != 1) or (facts.task == "text-classification" and count < 2):
        raise AdapterError(f"{folder / MANIFEST}: {facts.task} does not go with {count} label(s): it was changed.")
