"""What a running step may touch: its folder, its inputs, the cache; implements `chain.step.Workspace`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from compress.chain.artifacts import Artifact, Checkpoint, Dataset, LoraDelta, Model, OnnxModel, exported_from
from compress.chain.key import key_of
from compress.chain.step import Input
from compress.chain.store import Store
from compress.chain.stored import RECORD
from compress.errors import StoreError
from compress.pipeline.bases import Bases
from compress.progress import Progress

ArtifactT = TypeVar("ArtifactT", bound=Artifact)


class StageWorkspace:
    """The workspace of one stage of one run."""

    def __init__(
        self,
        out: Path,
        *,
        seed: int,
        progress: Progress,
        store: Store,
        made: Mapping[str, Artifact],
        key: str,
        bases: Bases,
    ) -> None:
        self.out, self.key, self.seed, self.progress = out, key, seed, progress
        self._store, self._made, self._bases = store, made, bases

    def load(self, edge: Input[ArtifactT]) -> ArtifactT:
        """The artifact of the stage that the edge names; its kind was checked before any work.

        Raises: StoreError when another run put something else in its place.
        """
        artifact = self._made[edge.stage]
        if self._store.digests.folder(artifact.path, without=frozenset({RECORD})) != artifact.digest:
            raise StoreError(
                f"the {artifact.kind} of stage '{edge.stage}' ({artifact.path}) was made again by another run "
                "while this one used it: run again."
            )
        return cast("ArtifactT", artifact)

    def dataset_of(self, model: Model) -> Dataset:
        """The data set that the model was trained on."""
        return dataset_by_digest(model.manifest.dataset, made=self._made, store=self._store)

    def base_of(self, model: LoraDelta) -> Path:
        """The folder of the delta's base, with the content that it was trained on."""
        return self._bases.of(model)

    def checkpoint_of(self, model: OnnxModel) -> Checkpoint:
        """The checkpoint that the graph was exported from: of this run, or of an earlier one in the store.

        Raises: StoreError when it is gone.
        """
        wanted = exported_from(model)
        for artifact in self._made.values():
            if isinstance(artifact, Checkpoint) and artifact.digest == wanted:
                return artifact
        stored = self._store.by_digest(wanted)
        if stored is None:
            raise StoreError(f"the checkpoint {wanted[:12]} of a graph is not in the store: run its stage again.")
        return Checkpoint(stored.path, stored.digest)

    def cached(self, said: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        """A folder kept in the store under `said`."""
        return self._store.make(key_of(said), kind="cache", said=said, build=build).path


def dataset_by_digest(digest: str, *, made: Mapping[str, Artifact], store: Store) -> Dataset:
    """The data set of that content: of this run, or of an earlier one in the store.

    Raises: StoreError when it is gone.
    """
    for artifact in made.values():
        if isinstance(artifact, Dataset) and artifact.digest == digest:
            return artifact
    stored = store.by_digest(digest)
    if stored is None:
        raise StoreError(
            f"the data set {digest[:12]} that a model was trained on is not in the store: run its stage again."
        )
    return Dataset(stored.path, stored.digest)
