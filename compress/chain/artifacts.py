"""The nouns: each artifact is a folder with a `manifest.json`, never a pickle.

Knows what each kind of folder is called and what its manifest says; not how one is made.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from compress.chain.manifest import DatasetManifest, ModelManifest, SensitivityManifest, SetManifest
from compress.chain.sensitivity import SensitivityReport


@dataclass(frozen=True)
class Artifact:
    """A finished folder in the store."""

    path: Path
    digest: str
    runtime: ClassVar[str | None] = None  # what measures it; None: not a model

    @property
    def kind(self) -> str:
        """The noun: the name of the class."""
        return type(self).__name__

    @cached_property
    def manifest(self) -> DatasetManifest | ModelManifest | SetManifest | SensitivityManifest:
        """What travels with it."""
        raise NotImplementedError(f"{self.kind} does not say which manifest it has")


@dataclass(frozen=True)
class Dataset(Artifact):
    """Arrow folders `train/`, `validation/`, `test/` (those that exist) and a manifest."""

    @cached_property
    def manifest(self) -> DatasetManifest:
        """Task, labels and what was found in the rows."""
        return DatasetManifest.read(self.path)


@dataclass(frozen=True)
class Model(Artifact):
    """Anything that answers texts; its manifest says for which task and labels."""

    @cached_property
    def manifest(self) -> ModelManifest:
        """Task, labels, lengths, licence and lineage."""
        return ModelManifest.read(self.path)


@dataclass(frozen=True)
class Checkpoint(Model):
    """`config.json`, `model.safetensors`, `tokenizer.json` (and `structure.json` if pruned)."""

    runtime: ClassVar[str | None] = "torch"


@dataclass(frozen=True)
class LoraDelta(Model):
    """The PEFT folder (`adapter_config.json`, `adapter_model.safetensors`), its tokenizer, and the base by digest."""

    runtime: ClassVar[str | None] = "torch"


@dataclass(frozen=True)
class OnnxModel(Model):
    """`model.onnx`, `config.json`, `tokenizer.json`: the folder that Optimum's ORTModel classes read."""

    runtime: ClassVar[str | None] = "onnxruntime"


@dataclass(frozen=True)
class Bundle(Model):
    """What an edge box needs: `model.onnx`, `tokenizer.json`, `config.json`, `manifest.json`."""

    runtime: ClassVar[str | None] = "onnxruntime"


@dataclass(frozen=True)
class AdapterSet(Artifact):
    """One base graph and the deltas that it answers with: `adapter_set.json`, `base/`, `adapters/NAME/VERSION/`.

    No `Model`: it has as many tasks as adapters, and each of them is measured by itself.
    """

    runtime: ClassVar[str | None] = "onnxruntime"

    @cached_property
    def manifest(self) -> SetManifest:
        """The base, and what each adapter is."""
        return SetManifest.read(self.path)


@dataclass(frozen=True)
class Sensitivity(Artifact):
    """`sensitivity.json`: what each part of one ONNX model costs in few bits. No model."""

    @cached_property
    def manifest(self) -> SensitivityManifest:
        """Which model it is about."""
        return SensitivityManifest.read(self.path)

    @cached_property
    def report(self) -> SensitivityReport:
        """The parts, the most sensitive first."""
        return SensitivityReport.read(self.path)


_ALL: tuple[type[Artifact], ...] = (Dataset, Checkpoint, LoraDelta, OnnxModel, Bundle, AdapterSet, Sensitivity)
KINDS: dict[str, type[Artifact]] = {kind.__name__: kind for kind in _ALL}


def exported_from(model: OnnxModel) -> str:
    """The digest of the checkpoint that the graph, quantized or not, was exported from."""
    return next(ancestor.digest for ancestor in reversed(model.manifest.lineage) if ancestor.step == "export_onnx")


def artifact_of(kind: str, path: Path, digest: str) -> Artifact:
    """The artifact object for a stored folder."""
    return KINDS[kind](path, digest)
