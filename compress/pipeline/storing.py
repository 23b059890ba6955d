"""`compress store`: what is in the store, whether it is whole, and what no published run needs.

Pruning spares what runs are at work with in two ways. While a run makes or measures something it holds a lock, and
nothing is removed. Between two such moments the default of `--days` keeps what was used in the last hour, together with
all that it was made from. A run that begins in the very moment of removal may find something gone: it makes it again.
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from compress.chain.artifacts import KINDS, AdapterSet, Model, artifact_of
from compress.chain.digests import Digests
from compress.chain.store import Store
from compress.chain.stored import RECORD, Stored
from compress.errors import ConfigurationError, StoreError
from compress.pipeline.adapter_model import adapter_of
from compress.pipeline.latencies import timed
from compress.pipeline.outputs import identity
from compress.reporting.schema import Report

DAY_SECONDS = 86_400
DIGEST_LENGTH = 64
OUTSIDE = frozenset({"host", "read"})  # under these names `said` has digests of what is not in the store


def open_existing(root: Path) -> Store:
    """The store at `root`. Raises: ConfigurationError when there is none: listing makes no folders."""
    if not (root / "artifacts").is_dir():
        raise ConfigurationError(
            f"there is no store at '{root}': name one with --store; `compress run` makes .compress here."
        )
    return Store(root)


def damaged(store: Store) -> Iterator[Stored]:
    """Everything whose content is not what its record says; all files are read again."""
    fresh = Digests()
    for stored in store:
        if fresh.folder(stored.path, without=frozenset({RECORD})) != stored.digest:
            yield stored


def unneeded(store: Store, *, runs: Path, days: float) -> list[Stored]:
    """What neither a published run nor anything used in the last `days` days needs; oldest last.

    Needed is also what such a thing was made from, and what was measured on it or cached for it.
    """
    everything, published = list(store), set(_published(runs))
    horizon = time.time() - days * DAY_SECONDS
    kept = {one.key for one in everything if one.key in published or store.used_at(one) >= horizon}
    kept = _with_relatives(kept, everything, store)
    return [one for one in everything if one.key not in kept]


def left_overs(store: Store) -> list[Path]:
    """Unfinished work of killed runs that nothing has been written to for a day."""
    horizon = time.time() - DAY_SECONDS
    return [path for path in sorted(store.folders.tmp.iterdir()) if path.stat().st_mtime < horizon]


def prune(store: Store, leaving: Iterable[Stored], unfinished: Iterable[Path]) -> None:
    """Remove them. Raises: StoreError, before anything is removed, while a run makes something in this store."""
    _refuse_while_in_use(store)
    remove(store, leaving)
    for path in unfinished:
        shutil.rmtree(path, ignore_errors=True)


def remove(store: Store, some: Iterable[Stored]) -> None:
    """Take them away, each as a whole."""
    for stored in some:
        store.remove(stored.key)
    store.digests.save()


def references(said: Any) -> set[str]:
    """The digests by which `said` names what is in the store."""
    if isinstance(said, str):
        parts = said.split("+")
        return {said} if all(len(part) == DIGEST_LENGTH and _hexadecimal(part) for part in parts) else set()
    if isinstance(said, Mapping):
        said = [value for name, value in said.items() if name not in OUTSIDE]
    return set().union(*map(references, said)) if isinstance(said, list) else set()


def identities(stored: Stored, store: Store) -> set[str]:
    """The digests by which others name it: its own, and those that its measures, or its adapters', go by."""
    if stored.kind not in KINDS:
        return {stored.digest}
    made = artifact_of(stored.kind, stored.path, stored.digest)
    try:
        if isinstance(made, AdapterSet):
            return {stored.digest, *(adapter_of(made, name).identity(store) for name in made.manifest.adapters)}
        return {stored.digest, identity(made, store), timed(made, store)} if isinstance(made, Model) else {made.digest}
    except (OSError, StoreError):  # damaged: what was measured on it is found again once it was made again
        return {stored.digest}


def _with_relatives(kept: set[str], everything: Sequence[Stored], store: Store) -> set[str]:
    """The keys `kept`, and of what they were made from, and of the measures and caches that name only what is kept.

    Only: every measure names its data set, so that one shared name would keep the measures of all models ever made.
    """
    known = {one.key: identities(one, store) for one in everything}
    read = {one.key: references(one.record.get("said")) for one in everything}
    measures = {one.key for one in everything if one.kind not in KINDS and read[one.key]}
    while True:
        here = set().union(*(known[key] for key in kept))
        missing = set().union(*(read[key] for key in kept)) - here
        more = {key for key in known if known[key] & missing or (key in measures and read[key] <= here)}
        if more <= kept:
            return kept
        kept = kept | more


def _refuse_while_in_use(store: Store) -> None:
    key = store.folders.locked_key()
    if key is not None:
        raise StoreError(f"a run is making {key[:12]} in {store.root}: nothing was removed; prune when it has ended.")


def _hexadecimal(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")


def _published(runs: Path) -> Iterator[str]:
    """Keys of all stages of all reports below `runs`, those of what searches chose too."""
    for file in [*runs.glob("*/report.json"), *runs.glob("*/search*/best/report.json")]:
        try:
            report = Report.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            continue  # another schema: what it needs is kept by --days only
        yield from (stage.key for stage in report.stages if stage.key)
