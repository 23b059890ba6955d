"""The values of a search as Optuna draws them: distributions, and from drawn parameters to what stands in the file.

A choice may be anything that YAML holds, so Optuna sees it as JSON text. Drawn numbers are rounded to what a person
would write: a learning rate of 0.0002384 rather than of 0.00023841293.
"""

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from compress.pipeline.search_space import Choices, Range, Search

FREE_DIGITS, WRITTEN_DIGITS = 4, 10

Values = Mapping[str, Any]
"""By STAGE.FIELD, as the file would have them."""


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """What Optuna draws each field from."""
    return {path: _distribution(field) for path, field in search.fields.items()}


def values_of(search: Search, params: Values) -> dict[str, Any]:
    """What stands in the file for what Optuna drew."""
    return {path: _value(field, params[path]) for path, field in search.fields.items()}


def params_of(search: Search, values: Values) -> dict[str, Any] | None:
    """What Optuna would have drawn for these values; None when one of them is not in the space."""
    found = {path: _param(field, values[path]) for path, field in search.fields.items()}
    return None if any(param is None for param in found.values()) else found


def same_values(values: Values) -> str:
    """A text that two sets of values share when they are equal."""
    return _text(dict(values))


def _distribution(field: Choices | Range) -> BaseDistribution:
    if isinstance(field, Choices):
        return CategoricalDistribution([_text(choice) for choice in field.choices])
    if field.whole:
        return IntDistribution(int(field.low), int(field.high), log=field.log, step=int(field.step or 1))
    step = None if field.step is None else float(field.step)
    return FloatDistribution(float(field.low), float(field.high), log=field.log, step=step)


def _value(field: Choices | Range, param: Any) -> Any:
    if isinstance(field, Choices):
        return next(choice for choice in field.choices if _text(choice) == param)
    if field.whole:
        return int(param)
    return min(max(_as_written(float(param), free=field.step is None), float(field.low)), float(field.high))


def _as_written(number: float, *, free: bool) -> float:
    """Few digits of a number that was drawn; one that has ten or fewer was written by somebody and stays."""
    written = float(f"{number:.{WRITTEN_DIGITS}g}")
    return float(f"{number:.{FREE_DIGITS}g}") if free and written != number else written


def _param(field: Choices | Range, value: Any) -> Any:
    """None: not in the space; Optuna never draws None, since choices are text."""
    if isinstance(field, Choices):
        return _text(value) if _text(value) in map(_text, field.choices) else None
    return value if field.holds(value) else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
