"""One adapter of a set as a model of its own: how it is told apart, opened and sized.

Knows the folder of a set as it was made, in which every adapter has one version; nothing of tables and slots.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from compress.chain.artifacts import AdapterSet, Model
from compress.chain.files import files_below
from compress.chain.store import Store
from compress.inference.predictor import Predictor

BASE, ADAPTERS, FIRST = "base", "adapters", "1"
SET_FILE = "adapter_set.json"


@dataclass(frozen=True)
class AdapterModel(Model):
    """The set as it answers the texts of one adapter; `path` is that adapter's version."""

    runtime: ClassVar[str | None] = "onnxruntime"

    set_folder: Path
    name: str

    @property
    def encoder_folder(self) -> Path:
        """Where the tokenizer lies."""
        return self.set_folder / BASE

    def identity(self, store: Store) -> str:
        """What decides its answers: the graph, the tokenizer, how both are put together, and the delta itself."""
        files = [self.set_folder / SET_FILE, *files_below(self.set_folder / BASE), *files_below(self.path)]
        return "+".join(store.digests.file(file) for file in files)

    def open(self, *, threads: int) -> Predictor:
        """The set with this adapter alone in its tables."""
        from compress.inference.adapter_predictor import open_adapter

        return open_adapter(self.set_folder, self.name, threads=threads)

    def size_mb(self) -> float:
        """10^6 bytes that this adapter adds to the set."""
        return sum(file.stat().st_size for file in files_below(self.path)) / 1e6


def adapter_of(made: AdapterSet, name: str) -> AdapterModel:
    """The adapter that the set was made with."""
    return AdapterModel(made.path / ADAPTERS / name / FIRST, made.digest, set_folder=made.path, name=name)
