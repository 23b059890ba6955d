"""A set of adapters where people keep it: `runs/<pipeline>/set/`, which is theirs to change once it is there.

So nothing that somebody added, promoted or rolled back is lost. Onto the same graph the run's deltas are added as next
versions, each only when no version of its name has that content already; a server goes on meanwhile. For another graph
the set is built anew with every adapter whose versions all fit it; where some do not, the old set is put aside, whole,
and that is said. A run that fails changes nothing.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compress.adapters.lock import LOCK, one_writer
from compress.adapters.names import NAME
from compress.adapters.packing import pack
from compress.adapters.peft_folder import read_delta
from compress.adapters.pointers import write_pointer
from compress.adapters.set_file import SET_FILE
from compress.adapters.set_folder import ADAPTERS, LAST, AdapterSetFolder
from compress.chain.files import file_digest, files_below, fsync_folder
from compress.chain.manifest import MANIFEST
from compress.chain.stored import RECORD
from compress.errors import AdapterError
from compress.progress import Progress
from compress.steps.adapters.ort_lora import derive_anew, onnx_adapters_of
from compress.writing import fsync, write_text

SET, BASE, CARD = "set", "base", "MODEL_CARD.md"
NEW, BEFORE = ".set-", ".before-set"  # a set being built; the one that it takes the place of
KEPT = ".kept-set"  # the same, on its way to a name of its own
WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
MEANT = ("task", "labels", "max_length", "base_digest")


@dataclass(frozen=True)
class MadeSet:
    """What a run made: the artifact's folder, its card, and the manifest with what was measured."""

    folder: Path
    card: str
    manifest: str


def publish_set(made: MadeSet, runs_folder: Path, progress: Progress) -> Path:
    """Put the run's set where people find it; its place.

    Args:
        made: of this run.
        runs_folder: `runs/<pipeline>`, which nobody else writes to meanwhile; `recover` put it right.
        progress: told what was added, kept and put aside.
    """
    home = runs_folder / SET
    if not home.exists():
        _build(made, home, runs_folder)
    elif _same_graph(made.folder, home):
        _add_deltas(made.folder, home, progress)
        _describe(made, home)
    else:
        _replace(made, home, runs_folder, progress)
    return home


def recover(runs_folder: Path) -> None:
    """What a killed run left: the user's set goes back to its place, unfinished ones go."""
    for left in runs_folder.glob(f"{NEW}*"):
        shutil.rmtree(left)
    before, kept, home = runs_folder / BEFORE, runs_folder / KEPT, runs_folder / SET
    for left in (before, kept):
        if left.exists() and not home.exists():
            left.rename(home)
    if before.exists():
        shutil.rmtree(before)  # everything in it was carried over before the new one took its place
    if kept.exists():
        kept.rename(_free_name(runs_folder))


def _build(made: MadeSet, home: Path, runs_folder: Path) -> None:
    """A first set: a copy of the artifact."""
    new = _copied(made, runs_folder)
    try:
        fsync_folder(new)
        new.rename(home)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace(made: MadeSet, home: Path, runs_folder: Path, progress: Progress) -> None:
    """A set on another graph, with every version of the old one that fits it."""
    new = _copied(made, runs_folder)
    try:
        with one_writer(home / ADAPTERS):  # what somebody adds meanwhile would be lost
            left_out = _carry_over(home, made.folder, new, progress)
            fsync_folder(new)
            aside = runs_folder / (KEPT if left_out else BEFORE)
            home.rename(aside)
            new.rename(home)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    fsync(runs_folder)
    if not left_out:
        shutil.rmtree(aside)
        return
    aside = aside.rename(_free_name(runs_folder))
    for reason in left_out:
        progress.warn(f"{home.name}: {reason}")
    progress.warn(f"the set of an earlier run was kept in {aside}: not all of its adapters fit the new one.")


def _carry_over(old: Path, made: Path, new: Path, progress: Progress) -> list[str]:
    """Put the old set's versions into the new one, then the run's deltas; what does not fit, and why."""
    before, after = _opened(old), AdapterSetFolder(new)
    if before is None:
        return [f"the set that was there is damaged: it has no usable {SET_FILE}."]
    shutil.rmtree(new / ADAPTERS)
    left_out: list[str] = []
    for name in before.names():
        reasons = list(_unfit(before, after, name))
        left_out += reasons
        if not reasons:
            shutil.copytree(old / ADAPTERS / name, new / ADAPTERS / name, dirs_exist_ok=True)
            derive_anew(after, name)
    _keep_numbers(before, new)
    _add_deltas(made, new, progress)
    return left_out


def _keep_numbers(before: AdapterSetFolder, new: Path) -> None:
    """A version's number is not given to other content, whatever became of it."""
    folders = (file.parent.name for file in before.path.glob(f"{ADAPTERS}/*/{LAST}"))
    for name in {*filter(NAME.fullmatch, folders), *before.names()}:
        (new / ADAPTERS / name).mkdir(parents=True, exist_ok=True)
        write_pointer(new / ADAPTERS / name / LAST, _last(before, name))


def _last(before: AdapterSetFolder, name: str) -> int:
    """As far as it can be known."""
    try:
        return before.last(name)
    except AdapterError:  # damaged
        return max(before.versions(name), default=1)


def _unfit(before: AdapterSetFolder, after: AdapterSetFolder, name: str) -> Iterator[str]:
    """Why versions of an adapter cannot be served by the new set, and that those which could stay with them."""
    fits: list[int] = []
    for version in before.versions(name):
        try:
            pack(read_delta(before.folder(name, version)), after.set_file)
        except AdapterError as error:
            yield f"version {version} of adapter '{name}' stays behind: {error}"
        else:
            fits.append(version)
    if fits and len(fits) < len(before.versions(name)):
        yield (
            f"its other versions, {', '.join(map(str, fits))}, stay with it, though they fit: "
            "`compress adapters add` takes them over."
        )


def _add_deltas(made: Path, home: Path, progress: Progress) -> None:
    """The run's deltas as next versions, where they are new."""
    ours, theirs = AdapterSetFolder(made), AdapterSetFolder(home)
    derive = onnx_adapters_of(home)
    for name in ours.names():
        delta = ours.folder(name, ours.latest(name))
        same = [version for version in theirs.versions(name) if _same_delta(delta, theirs.folder(name, version))]
        if not same:
            others = bool(theirs.versions(name))
            version = theirs.add(name, delta, derive=derive)
            if others:
                progress.say(f"{home.name}: adapter '{name}' got version {version}, which is its latest now.")
        elif (latest := _latest(theirs, name)) not in same:
            stays = f"version {latest} stays the latest" if latest else "none is promoted"
            progress.warn(
                f"{home.name}: adapter '{name}' of this run is version {same[-1]} there already, and {stays}: "
                "`compress adapters promote` changes that."
            )
    others_there = sorted(set(theirs.names()) - set(ours.names()))
    if others_there:
        progress.say(f"{home.name}: {', '.join(others_there)} of earlier stay as they are.")


def _latest(adapters: AdapterSetFolder, name: str) -> int | None:
    """None where the user promoted none, or the pointer is damaged."""
    try:
        return adapters.latest(name)
    except AdapterError:
        return None


def _same_delta(one: Path, other: Path) -> bool:
    """Whether two versions answer alike: the same weights and settings, for the same labels; a damaged one does not."""
    try:
        return _content(one) == _content(other)
    except (OSError, ValueError):
        return False


def _content(version: Path) -> tuple[object, ...]:
    said = json.loads((version / MANIFEST).read_text(encoding="utf-8"))
    return (file_digest(version / WEIGHTS), file_digest(version / SETTINGS), *map(said.get, MEANT))


def _same_graph(made: Path, home: Path) -> bool:
    """Whether the published set has the very graph, tokenizer and tables of the run's."""
    return _graph(made) == _graph(home)


def _graph(folder: Path) -> dict[str, str]:
    files = [folder / SET_FILE, *files_below(folder / BASE)]
    return {str(file.relative_to(folder)): file_digest(file) for file in files if file.is_file()}


def _opened(folder: Path) -> AdapterSetFolder | None:
    try:
        return AdapterSetFolder(folder)
    except AdapterError:
        return None


def _copied(made: MadeSet, runs_folder: Path) -> Path:
    """The artifact as a folder beside its later place, with card and figures."""
    new = Path(tempfile.mkdtemp(dir=runs_folder, prefix=NEW))
    shutil.copytree(made.folder, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RECORD, LOCK))
    _describe(made, new)
    new.chmod(0o755)
    return new


def _describe(made: MadeSet, folder: Path) -> None:
    write_text(folder / MANIFEST, made.manifest)
    write_text(folder / CARD, made.card)


def _free_name(runs_folder: Path) -> Path:
    """`set-1`, or the next number that is free."""
    number = 1
    while (runs_folder / f"{SET}-{number}").exists():
        number += 1
    return runs_folder / f"{SET}-{number}"
