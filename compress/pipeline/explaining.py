"""Pydantic's errors as mistakes, each at its place: those about one union without a tag become one.

Knows which error matters; `wording` knows how it is said.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from compress.chain.step import Step, leaves
from compress.pipeline.locating import STAGES, Located, Loc, locate
from compress.pipeline.mistakes import Mistakes
from compress.pipeline.nodes import Node, Scalar, scalar_at
from compress.pipeline.suggestions import shown
from compress.pipeline.wording import Told, dotted, expected, in_words, need, of_union


def explain(error: ValidationError, root: Node, spec: Any, mistakes: Mistakes) -> None:
    """Add every error to `mistakes`."""
    for told in _told(error, root, spec):
        mistakes.add(told.at.place, sentence(root, told.at.path, in_words(told)))


def sentence(root: Node, path: Loc, message: str) -> str:
    """The message with the stage in front, if it belongs to one."""
    if len(path) < 2 or path[0] != STAGES or not isinstance(path[1], int):
        return message
    name = scalar_at(locate(root, path[:2]).node or root, "name")
    title = f"'{name}'" if isinstance(name, str) and name else str(path[1] + 1)
    return f"stage {title}: {message}"


def refuse_booleans(step: Step, index: int, root: Node, mistakes: Mistakes) -> None:
    """A number written as `true` is a mistake, though Python would take it for 1."""
    for loc, value in leaves(step):
        if type(value) in {int, float}:
            at = locate(root, (STAGES, index, *loc))
            if isinstance(at.node, Scalar) and isinstance(at.node.value, bool) and not at.branches:
                message = f"{dotted(at.path)} must be a number, found {shown(at.node.value)}"
                mistakes.add(at.place, sentence(root, at.path, message))


def _told(error: ValidationError, root: Node, spec: Any) -> Iterator[Told]:
    """Every error, those of one union as one."""
    unions: dict[Loc, list[Told]] = defaultdict(list)
    for each in error.errors(include_url=False):
        told = Told(locate(root, each["loc"], spec), each)
        if told.at.branched_at is None:
            yield told
        else:
            unions[told.at.branched_at].append(told)
    for path, members in unions.items():
        yield from _of_union(locate(root, path, spec), members)


def _of_union(at: Located, told: Sequence[Told]) -> Iterator[Told]:
    """The errors of the member that fits what was written best; if none does, what each of them needs."""
    members: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        members[each.at.branches[0]].append(each)
    shaped = [errors for errors in members.values() if not any(_is_shape(each, at) for each in errors)]
    if shaped:
        yield from min(shaped, key=lambda errors: (len(errors), -_meant(errors)))
        return
    here = [Told(at, each.error) for each in told if each.error["type"] != "is_instance_of"]
    needs = dict.fromkeys(need(each) for each in here)
    yield Told(at, of_union(told[0].error, needs=list(needs), choices=[word for each in here for word in expected(each.error)]))


def _is_shape(told: Told, at: Located) -> bool:
    """Whether the member wants another kind of value altogether."""
    kind = told.error["type"]
    return told.at.path == at.path and (kind.endswith(("_type", "_parsing")) or kind in {"is_instance_of", "literal_error"})


def _meant(errors: Sequence[Told]) -> int:
    """How many unknown keys look like a known one."""
    return sum("did you mean" in in_words(each) for each in errors if each.error["type"] == "extra_forbidden")
