"""What a run leaves for people: `runs/<pipeline>/` with report.json, report.html and, if nothing failed, `bundle/`.

Each is complete or not there: files are renamed into place, the bundle's folder too. All pages are rendered before
anything is touched. A bundle of an earlier run is taken away when this run failed, and that is said. A set of adapters
(`set/`) is the user's own once it is there: `published_set` adds to it, and a run that failed leaves it alone.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from compress.chain.files import fsync_folder
from compress.chain.manifest import MANIFEST
from compress.chain.stored import RECORD
from compress.errors import StoreError
from compress.pipeline.published_set import SET, MadeSet, publish_set, recover
from compress.progress import Progress
from compress.reporting.schema import Report, StageEntry
from compress.writing import write_text

BUNDLE = "bundle"
CARD = "MODEL_CARD.md"
NEW, OLD = ".bundle-", ".old-"  # folders that live only while a bundle is replaced


def bundle_stage(report: Report) -> StageEntry | None:
    """The last stage that made a bundle."""
    return _last_of(report, "Bundle")


def set_stage(report: Report) -> StageEntry | None:
    """The last stage that made a set of adapters."""
    return _last_of(report, "AdapterSet")


def publish(report: Report, *, runs: Path, progress: Progress, folder: Path | None = None) -> Report:
    """Write the run's folder; returns the report with `published` filled in.

    `folder`: another one than `runs`/<pipeline>/.

    Raises: StoreError when the folder cannot be written.
    """
    from compress.reporting.model_card import model_card
    from compress.reporting.page import render

    folder = folder.absolute() if folder is not None else runs.absolute() / report.pipeline
    stage, of_set = (bundle_stage(report), set_stage(report)) if report.passed else (None, None)
    places = {BUNDLE: stage, SET: of_set}
    there = [str(folder / name) for name, made in places.items() if made is not None]
    said = {"published": there[0] if there else None, "published_set": str(folder / SET) if of_set else None}
    report = report.model_copy(update=said)
    page, card = render(report), model_card(report, stage) if stage else ""
    made_set = _made_set(report, of_set) if of_set else None
    with _locked(folder):
        _clear_left_overs(folder)
        recover(folder)
        if stage is not None:
            _publish_bundle(stage, card, folder)
        else:
            _withdraw(folder / BUNDLE, report, progress)
        if made_set is not None:
            publish_set(made_set, folder, progress)
        elif (folder / SET).exists():
            progress.warn(f"the set of an earlier run stays in {folder / SET} as it is: this run {_why_not(report)}.")
        write_text(folder / "report.json", report.to_json())
        write_text(folder / "report.html", page)
    return report


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time publishes to a folder. Raises: StoreError for whatever the system refuses meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error}): free space, make it writable, or choose another "
            "place with --runs; then run again, finished stages are kept."
        ) from error


def _clear_left_overs(folder: Path) -> None:
    """Delete what a killed run left; the folder's lock is held, so nobody works there."""
    for prefix in (NEW, OLD):
        for left in folder.glob(f"{prefix}*"):
            shutil.rmtree(left)


def _publish_bundle(stage: StageEntry, card: str, folder: Path) -> None:
    """Copy the artifact, add measures and card, and put it in place of the earlier one."""
    assert stage.artifact is not None
    new = Path(tempfile.mkdtemp(dir=folder, prefix=NEW))
    try:
        shutil.copytree(stage.artifact.path, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RECORD))
        _add_measures(new / MANIFEST, stage)
        write_text(new / CARD, card)
        new.chmod(0o755)
        fsync_folder(new)
        _replace(new, folder / BUNDLE)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _made_set(report: Report, stage: StageEntry) -> MadeSet:
    """What the stage made, with its card and figures."""
    from compress.reporting.set_card import set_card

    assert stage.artifact is not None
    folder = Path(stage.artifact.path)
    return MadeSet(folder, set_card(report, stage), _with_measures(folder / MANIFEST, stage))


def _add_measures(manifest: Path, stage: StageEntry) -> None:
    """The published manifest also says what was measured."""
    write_text(manifest, _with_measures(manifest, stage))


def _with_measures(manifest: Path, stage: StageEntry) -> str:
    said = json.loads(manifest.read_text(encoding="utf-8"))
    measured = stage.model_dump(mode="json", include={"measures", "comparisons", "verdicts"})
    return json.dumps({**said, "digest": stage.artifact and stage.artifact.digest, **measured}, indent=2) + "\n"


def _replace(new: Path, home: Path) -> None:
    """Put `new` in the place of `home`; a folder cannot be renamed onto another, so the old one steps aside first."""
    aside = _set_aside(home) if home.exists() else None
    new.rename(home)
    if aside is not None:
        shutil.rmtree(aside)


def _set_aside(home: Path) -> Path:
    """Rename `home` into a folder of its own, which is returned: it is there as a whole or not at all."""
    aside = Path(tempfile.mkdtemp(dir=home.parent, prefix=OLD))
    home.rename(aside / home.name)
    return aside


def _withdraw(bundle: Path, report: Report, progress: Progress) -> None:
    """Take the bundle of an earlier run away: it is not what this pipeline makes now."""
    if not bundle.exists():
        return
    shutil.rmtree(_set_aside(bundle))
    progress.warn(f"the bundle of an earlier run was taken away from {bundle}: this run {_why_not(report)}.")


def _why_not(report: Report) -> str:
    return "makes none" if report.passed else "did not pass"


def _last_of(report: Report, kind: str) -> StageEntry | None:
    made = [stage for stage in report.stages if stage.artifact is not None and stage.artifact.kind == kind]
    return made[-1] if made else None
