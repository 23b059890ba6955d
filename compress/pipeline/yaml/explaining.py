"""Pydantic's errors as mistakes, each at its place: those about one union without a tag become one.

Knows which error matters; `wording` knows how it is said.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from compress.chain.step import leaves
from compress.pipeline.suggestions import shown
from compress.pipeline.yaml.locating import STAGES, Loc, Located, locate
from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import Items, Node, Scalar, scalar_at
from compress.pipeline.yaml.wording import Told, dotted, expected, in_words, meant_key, need, of_union


def explain(error: ValidationError, root: Node, spec: Any, mistakes: Mistakes) -> None:
    """Add every error to `mistakes`."""
    all_told = [Told(locate(root, each["loc"], spec), each) for each in error.errors(include_url=False)]
    for told in _without_followers(list(_merged(all_told, root, spec))):
        if told.at.node is None or not mistakes.settled(told.at.node.place):
            mistakes.add(told.at.place, sentence(root, told.at.path, in_words(told)))


def sentence(root: Node, path: Loc, message: str) -> str:
    """The message with the stage in front, if it belongs to one."""
    if len(path) < 2 or path[0] != STAGES or not isinstance(path[1], int):
        return message
    name = scalar_at(locate(root, path[:2]).node or root, "name")
    title = f"'{name}'" if isinstance(name, str) and name else str(path[1] + 1)
    return f"stage {title}: {message}"


def refuse_booleans(values: object, root: Node, mistakes: Mistakes) -> None:
    """A number written as `true` is a mistake, though Python would take it for 1; `values`: the validated pipeline."""
    for loc, value in leaves(values):
        if type(value) in {int, float}:
            at = locate(root, loc)
            if isinstance(at.node, Scalar) and isinstance(at.node.value, bool) and not at.branches:
                needed = "a whole number" if isinstance(value, int) else "a number"
                message = f"{dotted(at.path)} must be {needed}, found {shown(at.node.value)}"
                mistakes.add(at.place, sentence(root, at.path, message))


def _without_followers(told: Sequence[Told]) -> list[Told]:
    """Without keys that are missing because they are misspelt, and lists that are short because an item is wrong."""
    meant = {(*each.at.path[:-1], meant_key(each)) for each in told if each.error["type"] == "extra_forbidden"}
    return [
        each
        for each in told
        if not (each.error["type"] == "missing" and each.at.path in meant)
        and not (each.error["type"] == "too_short" and isinstance(each.at.node, Items) and _is_long_enough(each))
    ]


def _is_long_enough(told: Told) -> bool:
    """Whether what was written has the items; pydantic counts the valid ones."""
    assert isinstance(told.at.node, Items)
    return len(told.at.node.items) >= int(told.error["ctx"]["min_length"])


def _merged(told: Sequence[Told], root: Node, spec: Any, depth: int = 0) -> Iterator[Told]:
    """Every error, those of one union as one; `depth`: of unions inside of each other."""
    unions: dict[Loc, list[Told]] = defaultdict(list)
    for each in told:
        if len(each.at.branches) <= depth:
            yield each
        else:
            unions[each.at.branches[depth].union].append(each)
    for path, errors in unions.items():
        yield from _of_union(locate(root, path, spec), errors, root, spec, depth)


def _of_union(at: Located, told: Sequence[Told], root: Node, spec: Any, depth: int) -> Iterator[Told]:
    """The errors of the member that fits what was written best; if none does, what each of them needs."""
    members: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        members[each.at.branches[depth].member].append(each)
    shaped = [errors for errors in members.values() if not any(_is_shape(each, at, depth) for each in errors)]
    if shaped:
        best = min(shaped, key=lambda errors: (-_meant(errors), len(errors)))
        yield from _merged(best, root, spec, depth + 1)
        return
    here = [Told(at, each.error) for each in told if each.error["type"] != "is_instance_of"]
    needs = dict.fromkeys(need(each) for each in here)
    choices = [word for each in here for word in expected(each.error)]
    yield Told(at, of_union(told[0].error, needs=list(needs), choices=choices))


def _is_shape(told: Told, at: Located, depth: int) -> bool:
    """Whether the member wants another kind of value altogether."""
    kind = told.error["type"]
    wrong_kind = kind.endswith(("_type", "_parsing")) or kind in {"is_instance_of", "literal_error"}
    return wrong_kind and told.at.path == at.path and len(told.at.branches) == depth + 1


def _meant(errors: Sequence[Told]) -> int:
    """How many unknown keys look like a known one."""
    return sum(meant_key(each) is not None for each in errors if each.error["type"] == "extra_forbidden")
