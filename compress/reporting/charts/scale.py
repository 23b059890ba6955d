"""Axes: where a value lies on the canvas, and which values get a tick. Knows no chart.

Round steps are 1, 2 or 5 times a power of ten (Heckbert, Nice numbers for graph labels, Graphics Gems 1990).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compress.reporting.numbers import given

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 74, 446, 16, 288
"""The plot inside the canvas; what is left of it holds ticks and titles."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    """Canvas units."""
    label: str


@dataclass(frozen=True)
class Axis:
    """A range of values laid on a range of canvas units."""

    low: float
    high: float
    start: float
    """Canvas place of `low`."""
    end: float
    title: str = ""
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The canvas place of `value`, rounded to a tenth of a unit."""
        low, high = self._warp(self.low), self._warp(self.high)
        share = (self._warp(value) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[Tick]:
        """Round values from `low` to `high`."""
        values = _powers(self.low, self.high) if self.logarithmic else _round_values(self.low, self.high)
        return [Tick(self.at(value), given(value)) for value in values]

    def _warp(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def linear(values: Sequence[float], start: float, end: float, *, title: str, margin: float = 0.08) -> Axis:
    """An axis that holds all `values` with some air around them."""
    low, high = min(values), max(values)
    air = (high - low) * margin or abs(high) * margin or 1.0
    return Axis(low - air, high + air, start, end, title)


def from_zero(values: Sequence[float], start: float, end: float, *, title: str, logarithmic_beyond: float = 12) -> Axis:
    """An axis from zero for positive values; logarithmic when they are more than `logarithmic_beyond`-fold apart."""
    low, high = min(values), max(values)
    if low > 0 and high / low > logarithmic_beyond:
        return Axis(low / 1.6, high * 1.6, start, end, f"{title}, log scale", logarithmic=True)
    return Axis(0.0, high * 1.15 or 1.0, start, end, title)


def _round_values(low: float, high: float, about: int = 7) -> list[float]:
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; powers of ten alone when that would be too many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(exponents) <= 4 else (1,)
    values = [float(f"{factor}e{exponent}") for exponent in exponents for factor in factors]
    return [value for value in values if low <= value <= high]
