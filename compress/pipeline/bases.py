"""Where the base of an unmerged delta lies: found by its content, so that a project that moved finds its own again.

Places go out of date, content does not: no folder is handed out whose digest is not what the delta was trained on.
A base that an earlier stage made lies beside the delta in the store, wherever that is by now.
"""

from collections.abc import Sequence
from pathlib import Path

from compress.chain.artifacts import LoraDelta
from compress.chain.digests import Digests
from compress.chain.outside import ModelSource
from compress.chain.step import Step, leaves
from compress.chain.stored import RECORD
from compress.errors import ModelError


class Bases:
    """The local bases that a pipeline's steps name; without steps, only the places that deltas recorded."""

    def __init__(self, steps: Sequence[Step] = (), *, digests: Digests | None = None) -> None:
        named = [value for step in steps for _, value in leaves(step) if isinstance(value, ModelSource)]
        self._local = [source.path for source in named if source.scheme is None]
        self._digests = digests or Digests()

    def of(self, delta: LoraDelta) -> Path:
        """The folder of the delta's base: one that the pipeline names, one beside it, else where the delta says.

        Raises: ModelError when it is gone, or its content is not what the delta was trained on.
        """
        wanted = delta.manifest.base_digest
        beside = delta.path.parent / Path(delta.manifest.base).name
        for folder in [*self._local, beside]:
            if folder.is_dir() and self._holds(folder, wanted):
                return folder
        return self._recorded(delta)

    def _recorded(self, delta: LoraDelta) -> Path:
        """The place that the delta recorded; only there a package or the hub is asked."""
        facts = delta.manifest
        source = ModelSource.parse(facts.base, Path())
        whose = f"the delta {delta.path} was trained on base {facts.base_digest[:12]}"
        if source.scheme is None and not source.path.is_dir():
            raise ModelError(f"{whose}, '{facts.base}' is gone: put it back, or train the delta again where it is now.")
        folder = source.resolve()
        if not self._holds(folder, facts.base_digest):
            raise ModelError(
                f"{whose}, '{facts.base}' is {self._digests.folder(folder)[:12]} by now: "
                "put the old one back, or train the delta again on this one."
            )
        return folder

    def _holds(self, folder: Path, wanted: str) -> bool:
        """Whether the content is `wanted`; the store's record of how a checkpoint was made may be left aside."""
        withouts = [frozenset[str](), *([frozenset({RECORD})] if (folder / RECORD).is_file() else [])]
        return any(self._digests.folder(folder, without=without) == wanted for without in withouts)
