"""From pydantic's `loc` to the place in the file, the path that the user knows, and the types that may stand there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from compress.pipeline.yaml.annotations import DISCRIMINATORS, alternatives, below, fields_of, tagged
from compress.pipeline.yaml.nodes import Items, Node, Place, Table, scalar_at

STAGES = "stages"
Loc = tuple[int | str, ...]


@dataclass(frozen=True)
class Branch:
    """One member of a union without a tag: where the union stands, and pydantic's word for the member."""

    union: Loc
    member: str


@dataclass(frozen=True)
class Located:
    """One place of the configuration."""

    place: Place
    """Of the key; of the item in a list; of the whole for the root."""
    path: Loc
    """Keys and indices without the tags of unions."""
    node: Node | None
    """What was written; None when nothing was."""
    types: Sequence[Any]
    """What may stand there."""
    siblings: Sequence[str] = ()
    """The keys that are known beside it."""
    branches: tuple["Branch", ...] = ()
    """Members of unions without a tag that pydantic tried on the way."""

    @property
    def stage(self) -> int | None:
        """Index of the stage that it belongs to."""
        index = self.path[1] if len(self.path) > 1 and self.path[0] == STAGES else None
        return index if isinstance(index, int) else None


def locate(root: Node, loc: Loc, annotation: Any = None) -> Located:
    """Walk `loc` down from the root; the tags that pydantic puts into it are no keys, and skipped."""
    found = Located(root.place, (), root, alternatives(annotation))
    tag_read = False
    for position, part in enumerate(loc):
        inner = _inner(found, part)
        if not tag_read and _is_tag(found.node, part):
            found, tag_read = replace(found, types=tagged(found.types, str(part))), True
        elif inner is not None:
            found, tag_read = inner, False
        elif position == len(loc) - 1 and _may_be_missing(found, part):
            found = _below(found, part)
        else:
            found = _branched(found, str(part))
    return found


def _inner(found: Located, part: int | str) -> Located | None:
    """One key or index further down; None when the node has none."""
    node = found.node
    if isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
        return replace(_below(found, part), place=node.items[part].place, node=node.items[part])
    if isinstance(node, Table) and part in node.entries:
        entry = node.entries[str(part)]
        return replace(_below(found, part), place=entry.place, node=entry.node)
    return None


def _below(found: Located, part: int | str) -> Located:
    """The same place, where `part` should stand."""
    types = below(found.types, part)
    return replace(found, path=(*found.path, part), node=None, types=types, siblings=fields_of(found.types))


def _is_tag(node: Node | None, part: int | str) -> bool:
    return isinstance(node, Table) and any(scalar_at(node, name) == part for name in DISCRIMINATORS)


def _may_be_missing(found: Located, part: int | str) -> bool:
    """Whether `part` is a key or index that could have been there, rather than pydantic's word for a type."""
    return isinstance(part, int) or (isinstance(found.node, Table) and bool(below(found.types, part)))


def _branched(found: Located, name: str) -> Located:
    """Inside a member of a union without a tag."""
    types = tagged(found.types, name) or found.types
    return replace(found, types=types, branches=(*found.branches, Branch(found.path, name)))
