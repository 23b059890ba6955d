"""A YAML text with other values in some places, everything else, comments too, left as it was written.

Works on the text between PyYAML's marks. Not every file can be changed so (an anchor changes wherever its alias is, and
a merge brings keys that stand elsewhere): who asks compares what the new text means with what it should, and has
`plain_text` as the other way.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from compress.pipeline.yaml.scalars import value_of
from compress.pipeline.yaml.syntax import YamlError, compose

BARE = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
Loc = Sequence[int | str]


def rewritten(text: str, edits: Sequence[tuple[Loc, Any]], *, without: str) -> str | None:
    """The text with every value in place and the top-level key `without` gone; None where that cannot be written."""
    try:
        for loc, value in edits:
            text = _replaced(text, loc, value)
        return _removed(text, without)
    except (YamlError, NotWritableError):
        return None


def plain_text(values: Mapping[str, Any]) -> str:
    """A file that means `values`, without comments: one line a key, one line a stage."""
    lines = []
    for key, value in values.items():
        if isinstance(value, list) and value:
            lines += [f"{key}:", *(f"  - {flow(item)}" for item in value)]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A value on one line, as people write it: `{kind: dynamic_int8, per_token: true}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


class NotWritableError(ValueError):
    """A place that the text has no room for."""


def _replaced(text: str, loc: Loc, value: Any) -> str:
    """The text with one value changed or, in a mapping that lacks the key, added."""
    node, rest = _descend(compose(text, "the file"), list(loc))
    for part in reversed(rest[1:]):
        value = {str(part): value}
    empty = isinstance(node, yaml.ScalarNode) and node.value == ""
    if rest and not isinstance(node, yaml.MappingNode):
        value, rest = {str(rest[0]): value}, []
    if rest:
        return _added(text, node, str(rest[0]), value)
    start, end = node.start_mark.index, _end(node)
    return f"{text[:start]}{' ' if empty else ''}{flow(value)}{text[end:]}"


def _descend(node: yaml.Node | None, loc: list[int | str]) -> tuple[yaml.Node, list[int | str]]:
    """The deepest node on the way, and the part of the way that is not there."""
    if node is None:
        raise NotWritableError("the file is empty")
    if not loc:
        return node, []
    if isinstance(node, yaml.SequenceNode):
        return _descend(node.value[int(loc[0])], loc[1:])
    if isinstance(node, yaml.MappingNode):
        inner = {key.value: value for key, value in node.value}
        for length in range(len(loc), 0, -1):  # a key may have dots in it: recall.sport
            key = ".".join(map(str, loc[:length]))
            if key in inner:
                return _descend(inner[key], loc[length:])
    return node, loc


def _added(text: str, node: yaml.Node, key: str, value: Any) -> str:
    """The mapping with one more key at its end."""
    said = f"{_text(key)}: {flow(value)}"
    if _in_braces(node):
        closing = node.end_mark.index - 1
        return f"{text[:closing]}{', ' if node.value else ''}{said}{text[closing:]}"
    end = text.find("\n", _end(node))
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{' ' * node.value[0][0].start_mark.column}{said}{text[end:]}"


def _removed(text: str, key: str) -> str:
    """The text without a top-level key, its value, and the comments that belong to it."""
    root = compose(text, "the file")
    if not isinstance(root, yaml.MappingNode):
        raise NotWritableError("the file is no mapping")
    found = [(name, value) for name, value in root.value if name.value == key]
    if not found:
        return text
    if root.flow_style:
        raise NotWritableError("the file is one flow mapping")
    (name, value), lines = found[0], text.splitlines(keepends=True)
    first = name.start_mark.line
    last = text.count("\n", 0, _end(value))
    while last + 1 < len(lines) and re.match(r"[ \t]+#", lines[last + 1]):
        last += 1
    while first > 1 and lines[first - 1].startswith("#"):  # never the first line, which may be for editors
        first -= 1
    return "".join([*lines[:first], *lines[last + 1 :]])


def _end(node: yaml.Node) -> int:
    """Where the last character of a value is; PyYAML ends a block where the next one begins."""
    if isinstance(node, yaml.ScalarNode) or _in_braces(node) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _in_braces(node: yaml.Node) -> bool:
    """Whether a list or mapping is written in brackets."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _text(text: str) -> str:
    """Without quotes where YAML reads the same text back, and so that no variable is found in it."""
    text = text.replace("${", "$${")
    return text if BARE.match(text) and value_of(text) == text else json.dumps(text, ensure_ascii=False)
