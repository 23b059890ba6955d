"""`compress show`: finds what a name, a folder, a key or a digest stands for."""

from pathlib import Path

from pydantic import ValidationError

from compress.chain.store import Store, Stored
from compress.errors import ConfigurationError
from compress.reporting.schema import Report

REPORT = "report.json"
SHORTEST = 6


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


def _in_store(what: str, root: Path) -> list[Stored]:
    if not (root / "artifacts").is_dir():
        return []
    return [stored for stored in Store(root) if stored.key.startswith(what) or stored.digest.startswith(what)]
