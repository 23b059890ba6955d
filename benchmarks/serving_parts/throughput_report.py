"""Throughput as tables and findings; knows no process."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from compress.benchmarking.ratio import median_interval

from .asking import Asked
from .findings import Finding
from .servers import Memory
from .workloads import Workload

SET, MERGED = "adapter set", "merged sessions"
AT_LEAST = {48: 1.4, 128: 0.95}
LEAST_MEMORY_RATIO = 20
SHARE_OF_BASELINE = 0.8


@dataclass(frozen=True)
class Cell:
    """One workload's results; one entry a round."""

    workload: Workload
    rates: dict[str, list[float]]
    at_capacity: dict[str, Asked]
    at_80: dict[str, Asked]
    others_cores: float
    """What others took, 9 of 10 runs at most: one disturbed probe among dozens decides nothing."""

    @property
    def ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.rates[SET], self.rates[MERGED], strict=True)]


def cell_table(cell: Cell) -> str:
    """Markdown of one workload."""
    head = (
        "| | requests/s (95%) | sent/s | p50 ms | p95 ms | p99 ms | answered | server ms CPU a request | its cores | "
    )
    rows = [f"**{cell.workload}**", "", f"{head}generator's cores |", "|---|---|---|---|---|---|---|---|---|---|"]
    for name in (SET, MERGED):
        low, high = interval(cell.rates[name])
        rate = f"{statistics.median(cell.rates[name]):.1f} ({low:.1f}–{high:.1f})"
        rows.append(row(f"{name} at capacity", rate, cell.at_capacity[name]))
    calm = SHARE_OF_BASELINE * statistics.median(cell.rates[MERGED])
    rows += [row(f"{name} at 80% of the baseline's", f"{calm:.1f}", cell.at_80[name]) for name in (SET, MERGED)]
    return "\n".join(rows)


def row(name: str, rate: str, asked: Asked) -> str:
    """One run."""
    outcome = asked.outcome
    times = " | ".join(f"{outcome.percentile_ms(percent):.1f}" for percent in (50, 95, 99))
    return (
        f"| {name} | {rate} | {outcome.requests / outcome.seconds:.1f} | {times} | "
        f"{100 * outcome.answered_share:.2f}% | {asked.server_ms_a_request:.2f} | {asked.server_cores:.2f} | "
        f"{asked.generator_cores:.2f} |"
    )


def cell_findings(cell: Cell) -> list[Finding]:
    """Throughput, and the p95 at the same load."""
    ratio, (low, high) = statistics.median(cell.ratios), interval(cell.ratios)
    least = AT_LEAST[48] if cell.workload.lengths[1] < 128 else AT_LEAST[128]
    ours, theirs = (cell.at_80[name].outcome.percentile_ms(95) for name in (SET, MERGED))
    unusable = cell.at_80[SET].unusable or cell.at_80[MERGED].unusable or not_sustained(cell)
    return [
        Finding(
            f"{cell.workload}: throughput over merged sessions", f"{ratio:.2f} x ({low:.2f}–{high:.2f})",
            f"≥ {least} x", ratio >= least, cell.others_cores, unusable,
        ),
        Finding(
            f"{cell.workload}: p95 at 80% of the baseline's rate", f"{ours:.1f} ms against {theirs:.1f} ms",
            "no worse", ours <= theirs, cell.others_cores, unusable,
        ),
    ]  # fmt: skip


def not_sustained(cell: Cell) -> str:
    """Whose rate does not hold over the longer run, if any."""
    names = [name for name, asked in cell.at_capacity.items() if not asked.outcome.sustained]
    return f"{' and '.join(names)}: the rate that was found is not sustained over the longer run" if names else ""


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95% of the median; of fewer than 3 rounds, which have none, the extremes."""
    return median_interval(values) if len(values) >= 3 else (min(values), max(values))


def memory_table(memory: dict[str, Memory], empty: Memory, count: int) -> str:
    """Markdown."""
    rows = [f"Memory after the load, {count} adapters:", "", "| process | RSS MB | PSS MB |", "|---|---|---|"]
    rows += [f"| {name} | {one.rss_mb:.0f} | {one.pss_mb:.0f} |" for name, one in memory.items()]
    return "\n".join([*rows, f"| the same server without a model | {empty.rss_mb:.0f} | {empty.pss_mb:.0f} |"])


def memory_finding(memory: dict[str, Memory], empty: Memory) -> Finding:
    """Models alone: what the processes take beyond a server without models; whole processes are in the table."""
    ours, theirs = (memory[name].pss_mb - empty.pss_mb for name in (SET, MERGED))
    whole = memory[MERGED].pss_mb / memory[SET].pss_mb
    found = f"{ours:.0f} MB against {theirs:.0f} MB, 1/{theirs / ours:.1f} (whole processes 1/{whole:.1f})"
    reached = theirs >= LEAST_MEMORY_RATIO * ours
    return Finding("memory of the models (PSS)", found, f"≤ 1/{LEAST_MEMORY_RATIO}", reached)
