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
from compress.search.space import Values
from compress.writing import write_text

MARK = "# Written by `compress search`"
Edit = tuple[Loc, Any]


def refuse_target(target: Path, source: Path) -> None:
    """Raises: ConfigurationError where a pipeline cannot be, or should not be, written to `target`."""
    if not target.parent.is_dir() or (target.exists() and not target.is_file()):
        raise ConfigurationError(f"--write {target}: name a file in a folder that is there")
    if not os.access(target.parent, os.W_OK):
        raise ConfigurationError(f"--write {target}: '{target.parent}' cannot be written")
    if not target.exists():
        return
    if target.resolve() == source.resolve():
        raise ConfigurationError(f"--write {target}: that is the file that is searched: name another one")
    with target.open("rb") as there:
        mine = there.read(len(MARK.encode())) == MARK.encode()
    if not mine:
        raise ConfigurationError(
            f"--write {target}: the file is there and was not written by a search: name another one"
        )


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
    moved = _moved_paths(made, folder)
    edits = [*_overridden(loaded), *((loc_of(made.root, path), value) for path, value in _outer_first(values)), *moved]
    wanted = plain(made.root)
    for loc, value in moved:
        _set(wanted, loc, value)
    source = "".join(line for line in loaded.text.splitlines(keepends=True) if not line.startswith("# --set "))
    text = rewritten(source, [(loc, _value_at(wanted, loc)) for loc, _ in edits], without=SEARCH)
    if text is None or not _means(text, wanted, environ):
        text = plain_text(wanted)
    heading = "".join(f"# {line}\n" for line in about)
    return _with_text(made, f"{MARK}.\n{heading}{text}")


def write_plain(made: LoadedPipeline, target: Path) -> None:
    """Put the file in place, whole. Raises: ConfigurationError when it cannot be written after all."""
    try:
        write_text(target, made.text)
    except OSError as error:
        raise ConfigurationError(f"--write {target}: it cannot be written: {error.strerror or error}") from error


def _with_text(made: LoadedPipeline, text: str) -> LoadedPipeline:
    return replace(made, text=text)


def _overridden(loaded: LoadedPipeline) -> list[Edit]:
    """What `--set` put in, outside of the search block."""
    return [(loc, None) for loc in loaded.put if loc[:1] != (SEARCH,)]


def _outer_first(values: Values) -> list[tuple[str, Any]]:
    return sorted(values.items(), key=lambda one: one[0].count("."))


def _moved_paths(made: LoadedPipeline, folder: Path) -> list[Edit]:
    """Relative paths that name another place from `folder`."""
    moved: list[Edit] = []
    for loc, value in leaves(made.spec):
        node = locate(made.root, loc).node
        if not isinstance(value, LocalPath) or getattr(value, "scheme", None) or not _is_relative(node):
            continue
        assert isinstance(node, Scalar)
        if (folder / node.text).resolve() != value.path.resolve():
            moved.append((loc, os.path.relpath(value.path.resolve(), folder.resolve())))
    return moved


def _is_relative(node: Node | None) -> bool:
    """Whether a path was written that depends on where the file is; one out of a variable is the user's business."""
    return isinstance(node, Scalar) and node.variable is None and not Path(node.text).expanduser().is_absolute()


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


def _set(values: Any, loc: Sequence[int | str], value: Any) -> None:
    for part in loc[:-1]:
        values = values[part]
    values[loc[-1]] = value
