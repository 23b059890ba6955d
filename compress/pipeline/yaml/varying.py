"""A pipeline with other values in some of its fields, checked as if the file had said so.

Knows no search: a field is a path as `--set` writes it, and a value is plain.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import LoadedPipeline, with_tree
from compress.pipeline.yaml.mistakes import Mistake, Mistakes
from compress.pipeline.yaml.nodes import Node, Place, Table, node_of, plain
from compress.pipeline.yaml.overrides import OverrideError, is_below, loc_of, with_value

SEARCH = "search"


def varied(loaded: LoadedPipeline, values: Mapping[str, Any]) -> LoadedPipeline:
    """The pipeline, without its `search` block, with every value where its STAGE.FIELD points.

    Raises: ConfigurationError with every mistake that the values make; `loaded` itself has none.
    """
    made, mistakes = try_values(loaded, values, places={})
    if made is None:
        raise ConfigurationError(*(str(mistake) for mistake in mistakes))
    return made


def try_values(
    loaded: LoadedPipeline, values: Mapping[str, Any], *, places: Mapping[str, Place]
) -> tuple[LoadedPipeline | None, list[Mistake]]:
    """The pipeline with the values, or what is wrong with them; `places`: where each field's mistakes are said."""
    root, mistakes, put = without_search(loaded.root), Mistakes(), list(loaded.put)
    for path in sorted(values, key=_depth):  # `int8.scheme` before `int8.scheme.bits`
        place = places.get(path, Place(path))
        try:
            root, loc = with_value(root, path, node_of(values[path], place))
            put = [one for one in put if not is_below(one, loc)]  # a value's relative paths are the file's
        except OverrideError as problem:
            mistakes.add(place, str(problem))
    made = None if mistakes else with_tree(replace(loaded, put=tuple(put)), root, mistakes)
    return made, list(mistakes)


def written_value(loaded: LoadedPipeline, path: str) -> Any:
    """What the file says there; None where it says nothing."""
    node: Node | None = loaded.root
    for part in loc_of(loaded.root, path):
        node = _inner(node, part)
    return plain(node) if node is not None else None


def without_search(root: Table) -> Table:
    """The tree of the plain pipeline."""
    return replace(root, entries={key: entry for key, entry in root.entries.items() if key != SEARCH})


def _inner(node: Node | None, part: int | str) -> Node | None:
    """One key or index further down; None when there is none."""
    if isinstance(node, Table):
        entry = node.entries.get(str(part))
        return entry.node if entry is not None else None
    items = getattr(node, "items", ())
    return items[int(part)] if str(part).isdecimal() and int(part) < len(items) else None


def _depth(path: str) -> tuple[int, str]:
    return path.count("."), path
