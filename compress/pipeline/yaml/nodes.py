"""The tree of a pipeline file: plain values that remember where they were written.

Knows no YAML syntax and no step. A node may come from the file or from `--set`: its place says which.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ScalarValue = str | int | float | bool | None


@dataclass(frozen=True)
class Place:
    """Where something was written: `file:line:column`, both counted from 1, or `--set stage.field=value`."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Scalar:
    """One value; `text` is how it was written, `variable` the text before variables were filled in, if it had any."""

    place: Place
    value: ScalarValue
    text: str
    variable: str | None = None


@dataclass(frozen=True)
class Items:
    """A list."""

    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Entry:
    """One key of a mapping: the place of the key, and its value."""

    place: Place
    node: "Node"


@dataclass(frozen=True)
class Table:
    """A mapping; keys are always text."""

    place: Place
    entries: Mapping[str, Entry]


Node = Scalar | Items | Table


def plain(node: Node) -> Any:
    """The node as Python values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def node_of(value: Any, place: Place) -> Node:
    """Python values as a node in which everything is at `place`; the reverse of `plain`."""
    if isinstance(value, Mapping):
        return Table(place, {str(key): Entry(place, node_of(inner, place)) for key, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return Items(place, tuple(node_of(item, place) for item in value))
    return Scalar(place, value, value if isinstance(value, str) else json.dumps(value))


def scalar_at(node: Node, key: str) -> ScalarValue:
    """The value under `key` of a mapping; None when there is no such scalar."""
    entry = node.entries.get(key) if isinstance(node, Table) else None
    return entry.node.value if entry is not None and isinstance(entry.node, Scalar) else None
