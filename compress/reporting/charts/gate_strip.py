"""One gate as a strip: the measured value and its interval on a line, and the side of the limit that is not allowed."""

from dataclasses import dataclass

from compress.reporting.schema import VerdictEntry

WIDTH, PAD = 150, 8


@dataclass(frozen=True)
class GateStrip:
    """Places on a strip of `WIDTH` canvas units."""

    measured: float
    low: float
    high: float
    limit: float
    forbidden_start: float
    forbidden_end: float


def gate_strip(verdict: VerdictEntry) -> GateStrip:
    """The strip for one verdict."""
    low, high = verdict.interval or (verdict.measured, verdict.measured)
    values = (low, high, verdict.measured, verdict.limit)
    start, span = min(values), (max(values) - min(values)) or abs(verdict.limit) or 1.0

    def at(value: float) -> float:
        return round(PAD + 12 + (value - start) / span * (WIDTH - 2 * PAD - 24), 1)

    limit = at(verdict.limit)
    forbidden = (0.0, limit) if verdict.gate.startswith("min.") else (limit, float(WIDTH))
    return GateStrip(at(verdict.measured), at(low), at(high), limit, *forbidden)
