"""`compress show`: finds what a name, a folder, a key or a digest stands for, and says what an artifact is."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from compress.chain.artifacts import KINDS, artifact_of
from compress.chain.manifest import DatasetManifest, SensitivityManifest, SetManifest
from compress.chain.store import Store
from compress.chain.stored import Stored
from compress.errors import ConfigurationError
from compress.pipeline.storing import identities, references
from compress.reporting.listings import Origin
from compress.reporting.numbers import duration, moment, number
from compress.reporting.schema import Report

REPORT = "report.json"
SHORTEST = 6
DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def find(what: str, *, store: Path, runs: Path) -> Report | Stored:
    """A run by name, folder or report file; an artifact by the first characters of its key or digest.

    Raises: ConfigurationError when nothing, or more than one thing, is meant.
    """
    for place in (Path(what), Path(what) / REPORT, runs / what / REPORT):
        if place.is_file():
            return read_report(place)
    found = _in_store(what, store) if len(what) >= SHORTEST else []
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"'{what}' could be {len(found)} things in the store: give more characters of the key."
        )
    known = ", ".join(sorted(path.parent.name for path in runs.glob(f"*/{REPORT}"))) or "none"
    raise ConfigurationError(
        f"'{what}' is no run and nothing in the store. Runs in {runs}: {known}; `compress store list`."
    )


def read_report(path: Path) -> Report:
    """Raises: ConfigurationError when the file is no report."""
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigurationError(f"{path} is not a report: {str(error).splitlines()[0]}.") from error


def facts(stored: Stored) -> Iterator[tuple[str, str]]:
    """What it is, how it was made and as what it was configured, for people. Raises: StoreError when it is damaged."""
    yield "kind", stored.kind
    if _stage(stored):
        yield "stage", _stage(stored)
    yield "made", f"{moment(str(stored.record['started']))}, in {duration(stored.seconds)}"
    yield "size", f"{number(float(stored.record['size_mb']))} MB"
    if stored.kind in KINDS:
        manifest = artifact_of(stored.kind, stored.path, stored.digest).manifest
        if isinstance(manifest, SetManifest):
            yield "adapters", ", ".join(f"{name} ({facts.task})" for name, facts in manifest.adapters.items())
        else:
            yield "task", manifest.task
            yield "labels", ", ".join(manifest.labels) or "none"
        if not isinstance(manifest, (DatasetManifest, SensitivityManifest)):
            yield "parameters", number(manifest.parameters)
    yield from _configuration(stored.record.get("said", {}))
    yield "key", stored.key
    yield "digest", stored.digest
    yield "folder", str(stored.path)


def origin(stored: Stored, *, store: Path) -> Origin:
    """What it was made from, as far as that is in the store; what several things read is said in full once."""
    opened = Store(store)
    known: dict[str, Stored] = {}
    for one in opened:
        for name in identities(one, opened):
            known.setdefault(name, one)
    return _origin(stored, known, seen=set())


def _origin(stored: Stored, known: Mapping[str, Stored], *, seen: set[str]) -> Origin:
    name = _stage(stored) or stored.key[:12]
    if stored.key in seen:
        return Origin(name, "see above")
    seen.add(stored.key)
    parents = [
        _origin(known[digest], known, seen=seen) if digest in known else Origin(digest[:12], "no longer in the store")
        for digest in sorted(references(stored.record.get("said")))
    ]
    step = stored.record.get("said", {}).get("step")
    made = f"{step} → {stored.kind}" if step else stored.kind
    return Origin(name, f"{made}, {number(float(stored.record['size_mb']))} MB", tuple(parents))


def _configuration(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything that decides the key, one row a field, digests cut to what tells them apart."""
    for name, value in {**said, **said.get("configuration", {})}.items():
        if name != "configuration" and value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name, DIGEST.sub(r"\1…", text)


def _stage(stored: Stored) -> str:
    """The pipeline and stage that made it; measures and caches have none."""
    notes = stored.record.get("notes", {})
    return f"{notes['pipeline']}.{notes['stage']}" if "stage" in notes else ""


def _in_store(what: str, root: Path) -> list[Stored]:
    if not (root / "artifacts").is_dir():
        return []
    return [stored for stored in Store(root) if stored.key.startswith(what) or stored.digest.startswith(what)]
