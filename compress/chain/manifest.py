"""`manifest.json`: what travels with an artifact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from compress.errors import StoreError
from compress.frozen import Frozen
from compress.task import Task
from compress.writing import write_text

MANIFEST = "manifest.json"


class Manifest(Frozen):
    """Reads and writes itself."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in `folder`. Raises: StoreError when there is none or it is not one."""
        try:
            return cls.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{folder / MANIFEST} is not a manifest: {error}") from error

    def write(self, folder: Path) -> None:
        """Written whole or not at all."""
        write_text(folder / MANIFEST, self.model_dump_json(indent=2) + "\n")


class SplitFacts(Frozen):
    """What was found in one split."""

    rows: int
    classes: dict[str, int] = Field(default_factory=dict)
    """Rows of each label; empty for regression and unlabelled data."""
    tokens: dict[str, float] = Field(default_factory=dict)
    """Whitespace-separated words a row: mean, p50, p95, max."""
    characters: dict[str, float] = Field(default_factory=dict)
    """Characters a row: mean, p50, p95, max."""


class DatasetManifest(Manifest):
    """What a data set holds."""

    kind: Literal["Dataset"] = "Dataset"
    task: Task
    labels: tuple[str, ...]
    """The training split's, sorted; empty when unlabelled; one name for regression."""
    labelled: bool
    text_columns: int = 1
    """2 for sentence pairs."""
    splits: dict[str, SplitFacts]
    duplicates_removed: dict[str, int] = Field(default_factory=dict)
    """Rows taken out of train because they stand in another split: `exact`, `normalised`."""
    label_conflicts: int = 0
    """Texts that appear with more than one label."""
    source: str
    """Where the rows came from, for people."""
    licence: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Ancestor(Frozen):
    """One artifact that this one was made from."""

    step: str
    digest: str
    details: dict[str, Any] = Field(default_factory=dict)


class ModelManifest(Manifest):
    """What travels with a model through the chain."""

    kind: str
    task: Task
    labels: tuple[str, ...]
    max_length: int
    """Tokens; longer texts are cut."""
    dataset: str
    """Digest of the data set that it was trained on; measuring, parity and calibration read that one."""
    base: str
    """The pretrained model as the user wrote it: `hub:…`, `package:…` or a path's last part."""
    base_digest: str
    """Content digest of the base's files (a package's or hub's too: content, not name)."""
    licence: str | None = None
    parameters: int
    """Of the model in full precision, all of them."""
    lineage: tuple[Ancestor, ...] = ()
    batch_invariant: bool = True
    """False where an answer depends a little on the texts beside it."""
    details: dict[str, Any] = Field(default_factory=dict)
    """What the step found: counts of nodes, training curve, parity."""
    figures: dict[str, float] = Field(default_factory=dict)
    """What the step measured of its own work, and gates of its stage may limit; not inherited."""

    def derived(
        self, *, kind: str, step: str, digest: str, details: Mapping[str, Any], **changes: Any
    ) -> "ModelManifest":
        """The manifest of what `step` makes out of this model (whose digest is `digest`)."""
        parent = Ancestor(step=step, digest=digest)
        own = {"kind": kind, "lineage": (*self.lineage, parent), "details": dict(details), "figures": {}}
        return self.model_copy(update={**own, **changes})


class AdapterFacts(Frozen):
    """What one adapter of a set is."""

    delta: str
    """Digest of the LoraDelta artifact that it is."""
    task: Task
    labels: tuple[str, ...]
    max_length: int
    """Tokens; longer texts are cut."""
    dataset: str
    """Digest of the data set that it was trained on; it is measured on that one."""


class SetManifest(Manifest):
    """What travels with a set of adapters; what is added to a published set later does not stand here."""

    kind: Literal["AdapterSet"] = "AdapterSet"
    adapters: dict[str, AdapterFacts]
    """By name, as the run made them."""
    base: str
    """The pretrained model of all deltas, as the user wrote it."""
    base_digest: str
    """Content digest of that model's files."""
    licence: str | None = None
    parameters: int
    """Of the base and of all adapters, in full precision."""
    lineage: tuple[Ancestor, ...] = ()
    batch_invariant: bool = True
    """False where an answer depends a little on the texts beside it."""
    details: dict[str, Any] = Field(default_factory=dict)
    """What the step found."""


class SensitivityManifest(Manifest):
    """Which model a sensitivity report is about; what was found stands in `sensitivity.json`."""

    kind: Literal["Sensitivity"] = "Sensitivity"
    task: Task
    labels: tuple[str, ...]
    model: str
    """Digest of the float OnnxModel."""
    dataset: str
    """Digest of the data set whose rows were read: the one that the model was trained on."""
    details: dict[str, Any] = Field(default_factory=dict)
