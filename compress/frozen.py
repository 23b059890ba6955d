"""The base of everything that is configured: immutable, no unknown keys, every field described.

The description of a field is the docstring below it. Reading source takes a tenth of a second for all steps, so
`descriptions_of` does it when somebody asks, not when a class is made.
"""

import ast
import inspect
import textwrap
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable pydantic model that refuses unknown keys."""

    unsaid: ClassVar[frozenset[str]] = frozenset()
    """Fields that came later: at their default they say nothing in a stage's key, so what was made before is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def descriptions_of(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field, inherited ones too; fields without one are missing."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _docstrings(base)
    said = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: text for name, text in (found | said).items() if name in model.model_fields}


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Of the fields that the class itself declares; none for a class that was made without source."""
    try:
        (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    except (OSError, TypeError):
        return {}
    assert isinstance(parsed, ast.ClassDef)
    pairs = zip(parsed.body, parsed.body[1:], strict=False)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }  # fmt: skip
