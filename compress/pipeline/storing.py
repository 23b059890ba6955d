"""`compress store`: what is in the store, whether it is whole, and what no published run needs."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from compress.chain.digests import Digests
from compress.chain.store import RECORD, Store, Stored
from compress.errors import ConfigurationError
from compress.reporting.schema import Report

DAY_SECONDS = 86_400


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
    """What no published run is made of and nothing used in the last `days` days; oldest last."""
    published = set(_published(runs))
    kept = {stored.key for stored in store if stored.key in published or stored.digest in published}
    horizon = time.time() - days * DAY_SECONDS
    return [stored for stored in store if stored.key not in kept and store.used_at(stored) < horizon]


def remove(store: Store, some: Iterable[Stored]) -> None:
    """Take them away, each as a whole."""
    for stored in some:
        store.remove(stored.key)
    store.digests.save()


def _published(runs: Path) -> Iterator[str]:
    """Keys of all stages of all reports below `runs`."""
    for file in runs.glob("*/report.json"):
        try:
            report = Report.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            continue  # another schema: what it needs is kept by --days only
        yield from (stage.key for stage in report.stages if stage.key)
