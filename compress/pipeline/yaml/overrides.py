"""`--set stage.field=value`: a value of the command line takes the place of one in the tree.

    seed=3    measure.split=validation    student.temperature=2    student.objectives.0.weight=0.5

The value is YAML. What was put in carries the option as its place, so its mistakes are reported there; unknown fields
are left to validation. A first part that is a field of the pipeline wins over a stage of that name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compress.pipeline.suggestions import did_you_mean, shown
from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import Entry, Items, Node, Place, Scalar, Table, scalar_at
from compress.pipeline.yaml.syntax import YamlError
from compress.pipeline.yaml.tree import parse

STAGES = "stages"
Loc = tuple[int | str, ...]


class OverrideError(ValueError):
    """What is wrong with one override, without its place."""


def overridden(
    root: Table, overrides: Sequence[str], *, fields: Sequence[str], environ: Mapping[str, str], mistakes: Mistakes
) -> tuple[Table, list[Loc]]:
    """The tree with every override put in, and where they were put; `fields` are those of the pipeline itself."""
    locs: list[Loc] = []
    for override in overrides:
        place = Place(f"--set {override}")
        try:
            loc = _loc(root, override.partition("=")[0].strip(), fields)
            put = _put(root, loc, _value(override, place, environ, mistakes), place, ())
            assert isinstance(put, Table)
            root, locs = put, [*(one for one in locs if not is_below(one, loc)), loc]
        except (OverrideError, YamlError) as problem:
            mistakes.add(place, problem.message if isinstance(problem, YamlError) else str(problem))
    return root, locs


def with_value(root: Table, path: str, value: Node) -> tuple[Table, Loc]:
    """The tree with `value` where `path` (STAGE.FIELD…) points, and that place. Raises: OverrideError."""
    loc = _loc(root, path, ())
    put = _put(root, loc, value, value.place, ())
    assert isinstance(put, Table)
    return put, loc


def is_below(loc: Loc, prefix: Loc) -> bool:
    """Whether `loc` is that place or one below it; indices in overrides are text."""
    return [*map(str, loc[: len(prefix)])] == [*map(str, prefix)]


def loc_of(root: Table, path: str) -> Loc:
    """Where STAGE.FIELD… points; indices of lists are text. Raises: OverrideError."""
    return _loc(root, path, ())


def _value(override: str, place: Place, environ: Mapping[str, str], mistakes: Mistakes) -> Node:
    """The part behind `=` as a tree in which everything is at `place`."""
    _, equals, text = override.partition("=")
    if not equals:
        raise OverrideError("a '=' is missing: write --set stage.field=value")
    node = parse(text, place.source, environ=environ, mistakes=mistakes)
    return Scalar(place, None, "") if node is None else _at(node, place)


def _at(node: Node, place: Place) -> Node:
    """The tree with every place replaced."""
    if isinstance(node, Items):
        return Items(place, tuple(_at(item, place) for item in node.items))
    if isinstance(node, Table):
        return Table(place, {key: Entry(place, _at(entry.node, place)) for key, entry in node.entries.items()})
    return replace(node, place=place)


def _loc(root: Table, path: str, fields: Sequence[str]) -> Loc:
    """Where `path` points: a field of the pipeline, or the stage's place followed by the field's."""
    first, _, rest = path.partition(".")
    if first in fields and first != STAGES:
        return (first, *_parts(rest))
    names = _stage_names(root)
    if first not in names:
        known = [*fields_without_stages(fields), *names]
        raise OverrideError(f"there is no stage '{first}'{did_you_mean(first, known, kind='known')}")
    if not rest:
        raise OverrideError(f"names the whole stage: write --set {first}.FIELD=value")
    return (STAGES, names.index(first), *_parts(rest))


def fields_without_stages(fields: Sequence[str]) -> list[str]:
    """The fields of the pipeline that an override may begin with."""
    return [field for field in fields if field != STAGES]


def _parts(path: str) -> Loc:
    if path and not all(path.split(".")):
        raise OverrideError("a name is missing beside a '.'")
    return tuple(path.split(".")) if path else ()


def _stage_names(root: Table) -> list[str]:
    """The name of each stage; '' for one without."""
    stages = root.entries[STAGES].node if STAGES in root.entries else None
    items = stages.items if isinstance(stages, Items) else ()
    return [str(scalar_at(item, "name") or "") for item in items]


def _put(node: Node | None, loc: Loc, value: Node, place: Place, above: Loc) -> Node:
    """`node` with `value` at `loc`; mappings on the way are made when there are none."""
    if not loc:
        return value
    if isinstance(node, Items):
        return _put_in_items(node, loc, value, place, above)
    if isinstance(node, Scalar) and node.value is not None:
        raise OverrideError(f"'{_dotted(above)}' is {shown(node.value)}: it has no '{loc[0]}'")
    entries = dict(node.entries) if isinstance(node, Table) else {}
    key, rest = _key(entries, loc)
    old = entries.get(key)
    inner = _put(old.node if old else None, rest, value, place, (*above, key))
    entries[key] = Entry(old.place if old and rest else place, inner)
    return Table(node.place if isinstance(node, Table) else place, entries)


def _put_in_items(node: Items, loc: Loc, value: Node, place: Place, above: Loc) -> Node:
    """The list with one item changed."""
    index, count = str(loc[0]), len(node.items)
    if not index.isdecimal() or int(index) >= count:
        counted = f"has {count} item{'s' if count != 1 else ''}, counted from 0"
        raise OverrideError(f"'{_dotted(above)}' is a list and {counted}: it has no '{index}'")
    items = list(node.items)
    items[int(index)] = _put(items[int(index)], loc[1:], value, place, (*above, int(index)))
    return Items(node.place, tuple(items))


def _key(entries: Mapping[str, Entry], loc: Loc) -> tuple[str, Loc]:
    """The key meant, and what is left: a key with dots in it (`recall.sport`) is found when it is there already."""
    for length in range(len(loc), 1, -1):
        if (key := ".".join(map(str, loc[:length]))) in entries:
            return key, loc[length:]
    return str(loc[0]), loc[1:]


def _dotted(loc: Loc) -> str:
    """As the user would write it."""
    below = loc[2:] if loc[:1] == (STAGES,) else loc
    return ".".join(map(str, below))
