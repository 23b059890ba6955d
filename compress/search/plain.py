"""A trial as a plain pipeline file: no search block, its values in the fields, comments kept if possible."""

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress.chain.outside import LocalPath
from compress.chain.step import Loc, leaves
from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.locating import locate
from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import Node, Scalar, plain
from compress.pipeline.yaml.overrides import loc_of
from compress.pipeline.yaml.rewriting import plain_text, rewritten
from compress.pipeline.yaml.syntax import YamlError
from compress.pipeline.yaml.tree import parse
from compress.pipeline.yaml.varying import SEARCH, varied
from compress.reporting.configuration import parted
from compress.search.space import Values
from compress.writing import write_text

MARK = "# Written by `compress search`"
Edit = tuple[Loc, Any]


def refuse_target(target: Path, source: Path) -> None:
    """Raises: ConfigurationError where a pipeline cannot be, or should not be, written to `target`."""
    try:
        _refuse_target(target, source)
    except OSError as error:  # a name that is too long, a file that cannot be read
        raise ConfigurationError(f"--write {target}: {error.strerror or error}: name another file") from error


def _refuse_target(target: Path, source: Path) -> None:
    if not target.parent.is_dir() or (target.exists() and not target.is_file()):
        raise ConfigurationError(f"--write {target}: name a file in a folder that is there")
    if not os.access(target.parent, os.W_OK):
        raise ConfigurationError(f"--write {target}: '{target.parent}' cannot be written")
    if not target.exists():
        return
    if target.resolve() == source.resolve():
        raise ConfigurationError(f"--write {target}: that is the file that is searched: name another one")
    if not _is_ours(target):
        raise ConfigurationError(
            f"--write {target}: the file is there and was not written by a search: name another one"
        )


def _is_ours(target: Path) -> bool:
    with target.open("rb") as there:
        return there.read(len(MARK.encode())) == MARK.encode()


def plain_pipeline(
    loaded: LoadedPipeline, values: Values, *, folder: Path, about: Sequence[str], environ: dict[str, str]
) -> LoadedPipeline:
    """The pipeline of a trial, with the text of a file in `folder` that means just that.

    Args:
        loaded: the file with its `search` block, overrides put in.
        values: of the trial.
        folder: where the file will be; relative paths are written for it.
        about: comments for its top.
        environ: for variables that the text keeps.
    """
    made = varied(loaded, values)
    text = _edited(made, values, folder, environ) or _anew(made, folder)
    heading = "".join(f"# {line}\n" for line in about)
    return replace(made, text=f"{MARK}.\n{heading}{text}")


def write_plain(made: LoadedPipeline, target: Path) -> None:
    """Put the file in place, whole. Raises: ConfigurationError when it cannot be written after all."""
    try:
        write_text(target, made.text)
    except OSError as error:
        raise ConfigurationError(f"--write {target}: it cannot be written: {error.strerror or error}") from error


def _edited(made: LoadedPipeline, values: Values, folder: Path, environ: dict[str, str]) -> str | None:
    """The file's own text with all that is new in it; None where it would mean something else (anchors)."""
    moved = _moved_paths(made, folder, variables=False)
    put = [loc for loc in made.put if loc[:1] != (SEARCH,)]
    drawn = [loc_of(made.root, path) for path in sorted(values, key=lambda path: path.count("."))]
    wanted, (source, _) = _with(moved, plain(made.root)), parted(made.text)
    places = [*put, *drawn, *(loc for loc, _ in moved)]
    text = rewritten(source, [(loc, _value_at(wanted, loc)) for loc in places], without=SEARCH)
    return text if text is not None and _means(text, wanted, environ) else None


def _anew(made: LoadedPipeline, folder: Path) -> str:
    """A text without comments and variables: these are filled in."""
    return plain_text(_with(_moved_paths(made, folder, variables=True), plain(made.root)))


def _moved_paths(made: LoadedPipeline, folder: Path, *, variables: bool) -> list[Edit]:
    """Relative paths that name another place from `folder`; with `variables` also those that came out of one."""
    moved: list[Edit] = []
    for loc, value in leaves(made.spec):
        node = locate(made.root, loc).node
        if not isinstance(value, LocalPath) or getattr(value, "scheme", None):
            continue
        if not _is_relative(node, variables=variables):
            continue
        assert isinstance(node, Scalar)
        if (folder / node.text).resolve() != value.path.resolve():
            moved.append((loc, os.path.relpath(value.path.resolve(), folder.resolve())))
    return moved


def _is_relative(node: Node | None, *, variables: bool) -> bool:
    """Whether a path was written that depends on where the file is; one in a variable is the user's business."""
    if not isinstance(node, Scalar) or (node.variable is not None and not variables):
        return False
    return not Path(node.text).expanduser().is_absolute()


def _means(text: str, wanted: Any, environ: dict[str, str]) -> bool:
    """Whether the text, read as a file is, holds just these values."""
    mistakes = Mistakes()
    try:
        tree = parse(text, "the new file", environ=environ, mistakes=mistakes)
    except YamlError:
        return False
    return tree is not None and not mistakes and _typed(plain(tree)) == _typed(wanted)


def _typed(value: Any) -> Any:
    """The value with the type of every number and truth beside it: to Python 1, 1.0 and true are equal."""
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_typed(inner) for inner in value]
    return (type(value).__name__, value)


def _value_at(values: Any, loc: Sequence[int | str]) -> Any:
    """What stands at a place; a key may have dots in it."""
    if not loc:
        return copy.deepcopy(values)
    if isinstance(values, (list, tuple)):
        return _value_at(values[int(loc[0])], loc[1:])
    for length in range(len(loc), 0, -1):
        key = ".".join(map(str, loc[:length]))
        if key in values:
            return _value_at(values[key], loc[length:])
    raise AssertionError(f"{loc} was put into the tree and is not there")


def _with(edits: Sequence[Edit], values: Any) -> Any:
    """`values`, changed."""
    for (*above, last), value in edits:
        inner = values
        for part in above:
            inner = inner[part]
        inner[last] = value
    return values
