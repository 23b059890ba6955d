"""How numbers are written wherever a person reads them: one rule, four significant digits.

Below 1 that is four decimals, so that accuracies and drops line up. Whole numbers are grouped in threes, what is tiny
gets a power of ten, and the minus is a real minus sign.
"""

from collections.abc import Sequence
from datetime import datetime

NARROW_SPACE = "\u202f"
MINUS = "\u2212"
NOTHING = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SECONDS_A_MINUTE, SECONDS_AN_HOUR = 60, 3600


def number(value: float | None) -> str:
    """`value` as it stands on a page: `0.9718`, `18.23`, `1 234`, `7.0 × 10⁻⁷`, or a dash for None."""
    if value is None:
        return NOTHING
    if float(value).is_integer():
        return _grouped(f"{value:,.0f}")
    size = abs(value)
    if size < 1e-3:
        return _power_of_ten(value)
    decimals = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return _grouped(f"{value:,.{decimals}f}")


def given(value: float) -> str:
    """A number as somebody wrote it, a limit say: no digits added."""
    return f"{value:.12g}".replace("-", MINUS)


def interval(bounds: Sequence[float] | None) -> str:
    """Both ends: `0.9512 to 0.9839`."""
    return NOTHING if bounds is None else f"{number(bounds[0])} to {number(bounds[1])}"


def half_width(bounds: Sequence[float] | None) -> float | None:
    """Half of the interval, for the `±` of a narrow table."""
    return None if bounds is None else (bounds[1] - bounds[0]) / 2


def times(value: float | None) -> str:
    """A factor: `4.61×`, `12.3×`, `118×`."""
    if value is None:
        return NOTHING
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{decimals}f}×"


def duration(seconds: float | None) -> str:
    """Time for people: `0.4 s`, `38 s`, `9 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(iso: str) -> str:
    """A date and time for people; what is no ISO 8601 stays as it is."""
    try:
        return datetime.fromisoformat(iso).strftime("%-d %B %Y, %H:%M %Z").strip().rstrip(",")
    except ValueError:
        return iso


def _power_of_ten(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", MINUS)


def _grouped(text: str) -> str:
    """Thousands apart, and no negative zero."""
    return text.replace(",", NARROW_SPACE).replace("-", MINUS)
