"""PyYAML's nodes to our tree: aliases and merge keys expanded, variables filled in, scalars typed, duplicates found."""

from collections.abc import Iterator, Mapping

import yaml

from compress.pipeline.suggestions import shown
from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import Entry, Items, Node, Place, Scalar, Table
from compress.pipeline.yaml.scalars import value_of
from compress.pipeline.yaml.syntax import DEEPEST, MOST_NODES, PLAIN, compose, place_of, too_much
from compress.pipeline.yaml.variables import VariableError, filled_in, has_variable

_TAG = "tag:yaml.org,2002:"
_TYPED = {PLAIN, *(f"{_TAG}{name}" for name in ("int", "float", "bool", "null"))}
_ALLOWED = {*_TYPED, *(f"{_TAG}{name}" for name in ("str", "seq", "map"))}
_MERGE = "<<"


def parse(text: str, source: str, *, environ: Mapping[str, str], mistakes: Mistakes) -> Node | None:
    """The tree of a YAML text; None when it holds nothing. Mistakes that leave the rest readable are collected.

    Raises: YamlError when the text is not YAML, or beyond the limits.
    """
    root = compose(text, source)
    return None if root is None else _Builder(source, environ, mistakes).node(root, depth=1)


class _Builder:
    """Builds one tree, counting what aliases expand to."""

    def __init__(self, source: str, environ: Mapping[str, str], mistakes: Mistakes) -> None:
        self._source, self._environ, self._mistakes = source, environ, mistakes
        self._count = 0

    def node(self, node: yaml.Node, *, depth: int) -> Node:
        """The node and all below it."""
        place = self._place(node)
        self._count += 1
        if self._count > MOST_NODES or depth > DEEPEST:
            raise too_much(place)
        if node.tag not in _ALLOWED:
            self._mistakes.add(place, f"the tag {_tag(node)} is not allowed: plain values only", settles=True)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        if isinstance(node, yaml.SequenceNode):
            return Items(place, tuple(self.node(item, depth=depth + 1) for item in node.value))
        assert isinstance(node, yaml.MappingNode)
        return Table(place, self._entries(node, depth))

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Scalar:
        """Fill in variables, then type what has no quotes."""
        text, variable = str(node.value), None
        if has_variable(text):
            variable = text
            try:
                text = filled_in(text, self._environ)
            except VariableError as problem:
                self._mistakes.add(place, str(problem), settles=True)
        return Scalar(place, value_of(text) if node.tag in _TYPED else text, text, variable)

    def _entries(self, node: yaml.MappingNode, depth: int) -> dict[str, Entry]:
        """Own keys first, each once; then those that `<<` brings and that are not there."""
        own: dict[str, Entry] = {}
        merged: list[Entry] = []
        for key, value in node.value:
            place = self._place(key)
            if not isinstance(key, yaml.ScalarNode):
                self._mistakes.add(place, "a key must be text")
                continue
            entry = Entry(place, self.node(value, depth=depth + 1))
            if key.value == _MERGE and key.tag == PLAIN:
                merged.append(entry)
            elif key.value in own:
                first = own[key.value].place
                self._mistakes.add(place, f"{shown(key.value)} stands here again, after line {first.line}: keep one")
            else:
                own[key.value] = entry
        for table in self._merged(merged):
            own = {**table.entries, **own}
        return own

    def _merged(self, entries: list[Entry]) -> Iterator[Table]:
        """The mappings that `<<: *one` or `<<: [*one, *two]` names; earlier ones win."""
        for entry in entries:
            nodes = entry.node.items if isinstance(entry.node, Items) else (entry.node,)
            for node in nodes:
                if isinstance(node, Table):
                    yield node
                else:
                    self._mistakes.add(entry.place, "'<<' merges mappings: write <<: *anchor")

    def _place(self, node: yaml.Node) -> Place:
        return place_of(node.start_mark, self._source)


def _tag(node: yaml.Node) -> str:
    tag = str(node.tag)
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
