"""How a mistake is said: `temperature must be greater than 0, found -2`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic_core import ErrorDetails

from compress.chain.outside import LocalPath
from compress.chain.step import NAME_PATTERN, Input
from compress.pipeline.suggestions import article, closest, did_you_mean, either, shown
from compress.pipeline.yaml.annotations import models, tags
from compress.pipeline.yaml.locating import STAGES, Loc, Located
from compress.pipeline.yaml.nodes import Items, Scalar, plain

NAME_RULE = "must begin with a letter and hold letters, digits, '_' and '-' only, 64 at most"
UNION = "union"


@dataclass(frozen=True)
class Told:
    """One error of pydantic's with its place."""

    at: Located
    error: ErrorDetails


def of_union(like: ErrorDetails, *, needs: Sequence[str], choices: Sequence[str]) -> ErrorDetails:
    """The error that no member of a union fits."""
    context = {"needs": needs, "choices": choices}
    return {"type": UNION, "loc": like["loc"], "msg": "", "input": like["input"], "ctx": context}


def dotted(path: Loc) -> str:
    """The path as `--set` writes it, without the stage."""
    inside = path[2:] if path[:1] == (STAGES,) and len(path) > 1 else path
    return ".".join(map(str, inside))


def in_words(told: Told) -> str:
    """The message, without its stage."""
    special = _SPECIAL.get(told.error["type"])
    if special is not None:
        return special(told)
    subject, text = dotted(told.at.path), need(told)
    if not text.startswith(_PREDICATES):  # a whole sentence of the step's
        return f"{subject}: {text}" if subject else text
    return f"{subject} {text}{_found(told)}{_meant(told)}".strip()


def meant_key(told: Told) -> str | None:
    """The key that an unknown one was meant to be."""
    return closest(str(told.at.path[-1]), told.at.siblings)


def need(told: Told) -> str:
    """`must be greater than 0`."""
    kind, context = told.error["type"], told.error.get("ctx", {})
    if kind == UNION:
        return either(context["needs"]).replace(" or must be ", " or ").replace(", must be ", ", ")
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return NAME_RULE
    if kind in {"string_type", "string_too_short"} and (special := _kind_of_text(told.at.types)):
        return f"must be {special}"
    if kind in _NEEDS:
        text = _NEEDS[kind].format(**{name: _bound(value) for name, value in context.items()})
        return text.replace(" 1 items", " 1 item")
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"]).rstrip(".")
    return told.error["msg"].rstrip(".")


def expected(error: ErrorDetails) -> list[str]:
    """The words that may stand there."""
    context = error.get("ctx", {})
    if error["type"] == UNION:
        return list(context["choices"])
    return _quoted(context["expected"]) if error["type"] == "literal_error" else []


def edge_words(kind: Any) -> str:
    """`the name of an earlier stage that makes a Checkpoint`."""
    (accepts,) = get_args(kind)
    nouns = [each.__name__ for each in get_args(accepts)] or [accepts.__name__]
    return f"the name of an earlier stage that makes {either([article(noun) for noun in nouns])}"


def _kind_of_text(types: Sequence[Any]) -> str | None:
    """What text may be there, when it is not any text."""
    for kind in types:
        if get_origin(kind) is Input:
            return edge_words(kind)
        if isinstance(kind, type) and issubclass(kind, LocalPath):
            return "a path" if kind is LocalPath else "a path, 'package:NAME/FOLDER' or 'hub:NAME'"
    return None


def _found(told: Told) -> str:
    """`, found -2`, with the variable that it came from."""
    node, kind = told.at.node, told.error["type"]
    if node is None or (kind not in {*_NEEDS, UNION} and not isinstance(node, Scalar)):
        return ""
    if kind in {"too_short", "too_long"} and isinstance(node, Items):
        return f", found {len(node.items)}"
    if not isinstance(node, Scalar):
        return f", found {shown(plain(node))}"
    number_for_text = kind in {"string_type", UNION} and isinstance(node.value, int | float) and _takes_text(told)
    advice = f": put it in quotes, '{node.text}'" if number_for_text else ""
    variable = f" (from {node.variable})" if node.variable is not None else ""
    return f", found {shown(node.value) if isinstance(node.value, str | None) else node.text}{variable}{advice}"


def _takes_text(told: Told) -> bool:
    return str in told.at.types


def _meant(told: Told) -> str:
    """`; did you mean 'auto'?` for a word that is none of those expected."""
    value, choices = told.error["input"], expected(told.error)
    meant = did_you_mean(value, choices, kind="") if choices and isinstance(value, str) else ""
    return meant if "did you mean" in meant else ""


def _bound(value: Any) -> Any:
    """Numbers without a needless fraction: 0 for 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _quoted(words: object) -> list[str]:
    """What stands in quotes in pydantic's enumerations."""
    return str(words).split("'")[1::2]


def _owner(told: Told) -> str:
    """The mapping that holds the key; empty for the pipeline and a stage themselves."""
    return dotted(told.at.path[:-1]) if len(told.at.path) != 3 or told.at.stage is None else ""


def _unknown_key(told: Told) -> str:
    """`unknown key 'temprature' in training; did you mean …?`."""
    key, owner = str(told.at.path[-1]), _owner(told)
    return f"unknown key '{key}'{f' in {owner}' if owner else ''}{did_you_mean(key, told.at.siblings, kind='known')}"


def _missing(told: Told) -> str:
    """`needs 'teacher', the name of an earlier stage that makes a Checkpoint`."""
    key, owner = told.at.path[-1], _owner(told)
    if isinstance(key, int):
        return f"{owner} must have {len(told.at.siblings)} items, found fewer"
    what = next((f", {edge_words(kind)}" for kind in told.at.types if get_origin(kind) is Input), "")
    whole = "" if told.at.stage is not None else "the file"
    return f"{owner or whole} needs '{key}'{what}".strip()


def _unknown_tag(told: Told) -> str:
    """`unknown step 'distil'; did you mean 'distill'?`."""
    context = told.error["ctx"]
    (name,), tag = _quoted(context["discriminator"]), str(context["tag"])
    subject = dotted(told.at.path)
    where = f" in {subject}" if subject else ""
    return f"unknown {name} '{tag}'{where}{did_you_mean(tag, _quoted(context['expected_tags']), kind='known')}"


def _no_tag(told: Told) -> str:
    """`needs 'step': one of …`."""
    (name,) = _quoted(told.error["ctx"]["discriminator"])
    known = [tag for model in models(told.at.types) for tag in tags(model)]
    return f"{dotted(told.at.path)} needs '{name}': {either(known)}".strip()


_PREDICATES = ("must ", "needs ")
_SPECIAL: Mapping[str, Callable[[Told], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_invalid": _unknown_tag,
    "union_tag_not_found": _no_tag,
}
_NEEDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be left out",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}
