"""What a run leaves for people: `runs/<pipeline>/` with report.json, report.html and, if nothing failed, `bundle/`.

Each is complete or not there: files are renamed into place, the bundle's folder too. A bundle of an earlier run is
taken away when this run failed, and that is said.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from compress.chain.files import fsync_folder, write_text
from compress.chain.manifest import MANIFEST
from compress.chain.store import RECORD
from compress.errors import StoreError
from compress.progress import Progress
from compress.reporting.schema import Report, StageEntry

BUNDLE = "bundle"
CARD = "MODEL_CARD.md"


def bundle_stage(report: Report) -> StageEntry | None:
    """The last stage that made a bundle."""
    made = [stage for stage in report.stages if stage.artifact is not None and stage.artifact.kind == "Bundle"]
    return made[-1] if made else None


def publish(report: Report, *, runs: Path, progress: Progress) -> Report:
    """Write the run's folder; returns the report with `published` filled in.

    Raises: StoreError when the folder cannot be written.
    """
    from compress.reporting.page import render

    folder = runs.absolute() / report.pipeline
    with _locked(folder):
        stage = bundle_stage(report) if report.passed else None
        if stage is not None:
            report = report.model_copy(update={"published": str(folder / BUNDLE)})
            _publish_bundle(report, stage, folder)
        else:
            _withdraw(folder / BUNDLE, report, progress)
        write_text(folder / "report.json", report.to_json())
        write_text(folder / "report.html", render(report))
    return report


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time publishes to a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise StoreError(f"{folder} cannot be written ({error.strerror}): choose another place with --runs.") from error
    try:
        yield
    finally:
        lock.release()


def _publish_bundle(report: Report, stage: StageEntry, folder: Path) -> None:
    """Copy the artifact, add measures and card, and put it in place of the earlier one."""
    from compress.reporting.model_card import model_card

    assert stage.artifact is not None
    new = Path(tempfile.mkdtemp(dir=folder, prefix=".bundle-"))
    try:
        shutil.copytree(stage.artifact.path, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RECORD))
        _add_measures(new / MANIFEST, stage)
        write_text(new / CARD, model_card(report, stage))
        new.chmod(0o755)
        fsync_folder(new)
        _replace(new, folder / BUNDLE)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _add_measures(manifest: Path, stage: StageEntry) -> None:
    """The published manifest also says what was measured."""
    said = json.loads(manifest.read_text(encoding="utf-8"))
    measured = stage.model_dump(mode="json", include={"measures", "comparisons", "verdicts"})
    write_text(
        manifest, json.dumps({**said, "digest": stage.artifact and stage.artifact.digest, **measured}, indent=2) + "\n"
    )


def _replace(new: Path, home: Path) -> None:
    """Put `new` in the place of `home`; a folder cannot be renamed onto another, so the old one steps aside first."""
    if not home.exists():
        new.rename(home)
        return
    aside = Path(tempfile.mkdtemp(dir=home.parent, prefix=".old-"))
    home.rename(aside / home.name)
    new.rename(home)
    shutil.rmtree(aside)


def _withdraw(bundle: Path, report: Report, progress: Progress) -> None:
    """Take the bundle of an earlier run away: it is not what this pipeline makes now."""
    if not bundle.exists():
        return
    shutil.rmtree(bundle)
    why = "makes no bundle" if report.passed else "did not pass"
    progress.warn(f"the bundle of an earlier run was taken away from {bundle}: this run {why}.")
