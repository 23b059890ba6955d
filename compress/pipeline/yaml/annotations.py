"""Which types may stand at a place of a configuration: through models, lists, mappings and unions.

Messages need it: what fields a model has, whether text is the name of a stage. Knows pydantic's models, not YAML.
"""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

DISCRIMINATORS = ("step", "kind")


def alternatives(annotation: Any) -> list[Any]:
    """The members of a union, also below `Annotated`; one for anything else; without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return [member for union in get_args(annotation) for member in alternatives(union)]
    return [] if annotation in {None, type(None)} else [annotation]


def tagged(members: Sequence[Any], tag: str) -> list[Any]:
    """The models of a union that `tag` picks: by `step` or `kind`, else by the class's name."""
    return [member for member in models(members) if tag in {*tags(member), member.__name__}]


def tags(model: type[BaseModel]) -> tuple[str, ...]:
    """What `step` or `kind` says in this model."""
    fields = [model.model_fields[name] for name in DISCRIMINATORS if name in model.model_fields]
    return next((get_args(field.annotation) for field in fields if get_origin(field.annotation) is Literal), ())


def below(members: Sequence[Any], part: int | str) -> list[Any]:
    """What may stand under the key or index `part`."""
    return [inner for member in members for inner in _below(member, part)]


def models(members: Sequence[Any]) -> list[type[BaseModel]]:
    """Those that are models."""
    return [member for member in members if isinstance(member, type) and issubclass(member, BaseModel)]


def fields_of(members: Sequence[Any]) -> list[str]:
    """The keys that the models among `members` know; of a tuple of fixed length its indices."""
    fields = [name for model in models(members) for name in model.model_fields]
    fixed = [get_args(member) for member in members if get_origin(member) is tuple]
    indices = [str(index) for items in fixed if Ellipsis not in items for index in range(len(items))]
    return list(dict.fromkeys([*fields, *indices]))


def _below(member: Any, part: int | str) -> list[Any]:
    if models([member]):
        field = member.model_fields.get(part)
        return alternatives(field.annotation) if field is not None else []
    origin, arguments = get_origin(member), get_args(member)
    if not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        return alternatives(arguments[1])
    if issubclass(origin, Sequence) and isinstance(part, int):
        fixed = issubclass(origin, tuple) and arguments[-1] is not Ellipsis
        index = part if fixed and part < len(arguments) else 0
        return alternatives(arguments[index])
    return []
