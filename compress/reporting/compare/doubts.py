"""What keeps models from being compared, in sentences: other rows, another machine, other libraries or threads."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from compress.reporting.compare.figures import same_rows
from compress.reporting.compare.side import Side

MOST_NAMES = 4


def doubts_of(sides: Sequence[Side]) -> list[str]:
    """One sentence for each; none when all can be compared."""
    return list(_doubts(sides))


def _doubts(sides: Sequence[Side]) -> Iterator[str]:
    scored = [side for side in sides if side.measures.metrics]
    if scored and not all(same_rows(side, scored[0]) for side in scored):
        yield f"measured on different rows ({_groups(scored, _rows)}): their scores are not compared."
    if len({side.measures.primary for side in scored}) > 1:
        yield f"of different tasks ({_groups(scored, lambda side: side.measures.primary)})."
    if len({side.machine for side in sides}) > 1:
        yield f"measured on different machines ({_groups(sides, _machine)}): times are not compared."
    elif len({side.runtimes for side in sides}) > 1:
        yield f"measured with different libraries ({_groups(sides, _runtimes)}): latencies are not compared."
    timed = [side for side in sides if side.measures.latency]
    if len({_threads(side) for side in timed}) > 1:
        yield f"measured with different threads ({_groups(timed, _threads)}): such latencies stand apart."
    runs = {id(side.report) for side in timed}
    if len(runs) > 1 and len({side.machine for side in timed}) == 1:
        yield "from different runs: their latencies were not taken in turns (`compress bench` does that)."
    for side in sides:
        if side.outcome in {"fail", "error"} and side.part is None:
            yield f"'{side.label}': a gate of its stage failed, so its run published nothing."


def _groups(sides: Sequence[Side], what: Callable[[Side], str]) -> str:
    """`a, b: 425 rows; c: 7441 rows`."""
    found: dict[Hashable, list[str]] = {}
    for side in sides:
        found.setdefault(what(side), []).append(side.label)
    return "; ".join(f"{_names(labels)}: {value}" for value, labels in found.items())


def _names(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:MOST_NAMES])
    return shown if len(labels) <= MOST_NAMES else f"{shown} and {len(labels) - MOST_NAMES} more"


def _rows(side: Side) -> str:
    rows = side.rows
    which = ", ".join(digest[:12] for digest in rows.digests) or "an unknown data set"
    return f"{rows.count} {rows.split} rows of {which}"


def _machine(side: Side) -> str:
    known: dict[str, Any] = dict(side.machine)
    return f"{known['processor'] or 'an unknown processor'}, {known['quota_cores'] or known['cores'] or '?'} cores"


def _runtimes(side: Side) -> str:
    return ", ".join(f"{name} {version}" for name, version in side.runtimes if version) or "unknown"


def _threads(side: Side) -> str:
    threads = sorted({one.threads for one in side.measures.latency})
    return f"{', '.join(map(str, threads))} threads"
