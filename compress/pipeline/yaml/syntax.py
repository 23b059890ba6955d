"""YAML text to PyYAML's nodes, bounded while it is read, with syntax errors in plain words.

Plain scalars are not typed here (see `scalars`): they carry the tag `PLAIN`.
"""

from typing import Any

import yaml

from compress.pipeline.yaml.nodes import Place

PLAIN = "plain"
MOST_NODES = 10_000
DEEPEST = 50

_WORDS = {
    "found character '\\t' that cannot start any token": "a tab: YAML is indented with spaces",
    "mapping values are not allowed here": "a ':' where none is expected: indent as above, or put the text in quotes",
    "expected <block end>, but found '<block mapping start>'": "the indentation fits no line above",
    "expected <block end>, but found '<block sequence start>'": "the indentation fits no line above",
    "expected <block end>, but found '-'": "the indentation fits no line above",
    "expected <block end>, but found '<scalar>'": "text follows a finished value: put the whole value in quotes",
    "expected <block end>, but found '?'": "the indentation fits no line above",
    "could not find expected ':'": "a ':' is missing: every line is `key: value` or `- item`",
    "found unexpected end of stream": "the quotes are never closed",
    "but found another document": "a second document begins (---): a pipeline file holds one",
    "expected the node content, but found '<stream end>'": "the file ends inside [ ] or { }",
    "sequence entries are not allowed here": "a '-' where no list item can stand: begin the list on a line of its own",
}
_STARTS_NO_VALUE = "found character '"


class YamlError(ValueError):
    """What ends the reading of a file."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place, self.message = place, message


class _Loader(yaml.SafeLoader):
    """Composes nodes only; stops at too many and at too deep ones, before they cost anything."""

    def __init__(self, text: str) -> None:
        self._nodes = self._depth = 0
        super().__init__(text)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One node and all below it."""
        self._nodes += 1
        self._depth += 1
        if self._nodes > MOST_NODES or self._depth > DEEPEST:
            raise TooMuchError(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """`PLAIN` for a scalar without quotes and without a tag."""
        if kind is yaml.ScalarNode and implicit[0]:
            return PLAIN
        return str(super().resolve(kind, value, (False, True)))  # type: ignore[no-untyped-call]


class TooMuchError(Exception):
    """More nodes or deeper ones than any pipeline has."""

    def __init__(self, mark: yaml.Mark) -> None:
        self.mark = mark


def too_much(place: Place) -> YamlError:
    """The error for a file beyond the limits."""
    return YamlError(
        place,
        f"more than {MOST_NODES:,} values (an alias counts as what it names) or {DEEPEST} levels: this is no pipeline",
    )


def place_of(mark: yaml.Mark, source: str) -> Place:
    """A PyYAML mark, counted from 1."""
    return Place(source, mark.line + 1, mark.column + 1)


def compose(text: str, source: str) -> yaml.Node | None:
    """The root node; None for an empty text. Raises: YamlError."""
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except TooMuchError as error:
        raise too_much(place_of(error.mark, source)) from None
    except yaml.MarkedYAMLError as error:
        raise _problem(error, text, source) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(source, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise YamlError(place, f"the character {ord(text[error.position]):#06x} may not stand in YAML") from None


def _problem(error: yaml.MarkedYAMLError, text: str, source: str) -> YamlError:
    """The syntax error in plain words, where it was noticed; for quotes, where they were opened."""
    problem = error.problem or "cannot be read"
    unclosed = problem == "found unexpected end of stream"
    mark = error.context_mark if unclosed and error.context_mark else error.problem_mark or error.context_mark
    assert mark is not None
    message = _WORDS.get(problem) or _worded(problem, error)
    if _bare_variable(text, mark.line):
        message += "; inside { } and [ ] put quotes around ${…}"
    return YamlError(place_of(mark, source), message)


def _worded(problem: str, error: yaml.MarkedYAMLError) -> str:
    if problem.startswith(_STARTS_NO_VALUE):
        return f"a value cannot begin with {problem.removeprefix('found character ').split(' ')[0]}: put it in quotes"
    if problem.startswith("found undefined alias"):
        return f"the alias *{problem.split(chr(39))[1]} names no anchor above"
    if problem.startswith("expected ',' or") and error.context_mark is not None:
        opened = error.context_mark
        closing = problem.split("'")[3]
        return f"a ',' or '{closing}' is missing for what opens at {opened.line + 1}:{opened.column + 1}"
    context = f" {error.context}" if error.context else ""
    return f"not YAML: {problem}{context}"


def _bare_variable(text: str, line: int) -> bool:
    """Whether a variable without quotes stands on the line."""
    lines = text.splitlines()
    before, found, _ = (lines[line] if line < len(lines) else "").partition("${")
    return bool(found) and before[-1:] not in {"'", '"'} and ("{" in before or "[" in before)
