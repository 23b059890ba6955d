"""Part (a): 8 adapters in 8 rows against the base alone, without a server: in turns, a process each."""

import statistics
from collections.abc import Sequence

from compress.benchmarking.latency import Variant, VariantLatency, compare_latency, latency_ratio
from compress.benchmarking.ratio import median_interval
from compress.progress import Progress

from .findings import Finding
from .making import Made, Scheme
from .texts import texts_of_lengths

ROWS = 8
LIMITS = {"fp32": 1.12, "int8": 1.25}
BASE, SET = "base alone", "8 adapters"


def measure(
    made: Made, *, schemes: Sequence[Scheme], lengths: Sequence[int], threads: int, rounds: int, progress: Progress
) -> tuple[str, list[Finding]]:
    """Markdown of all times, and the findings."""
    texts = texts_of_lengths(made.words(), [max(lengths)] * 256, seed=3)
    lines = [
        f"| scheme | shape | {BASE}, ms | {SET} in {ROWS} rows, ms | ratio | {ROWS} single runs, ratio |",
        "|---|---|---|---|---|---|",
    ]
    findings = []
    for scheme in schemes:
        base, mixed = compare_latency(
            [
                Variant(BASE, made.onnx(scheme), "onnxruntime"),
                Variant(SET, made.set(scheme, ROWS), "onnxruntime"),
            ],
            shapes=[shape for length in lengths for shape in ((ROWS, length), (1, length))],
            texts=texts, threads=threads, rounds=rounds, progress=progress,
        )  # fmt: skip
        for length in lengths:
            line, finding = of_shape(base, mixed, scheme, length)
            lines.append(line)
            findings.append(finding)
    return "\n".join(lines), findings


def of_shape(base: VariantLatency, mixed: VariantLatency, scheme: Scheme, length: int) -> tuple[str, Finding]:
    """A line of the table, and a line of the verdict."""
    shape = (ROWS, length)
    alone, together = base.at(shape), mixed.at(shape)
    ratio = latency_ratio(mixed, base, shape)
    found = f"{ratio.value:.3f} ({ratio.interval[0]:.3f}–{ratio.interval[1]:.3f})"
    line = (
        f"| {scheme} | {ROWS} x {length} | {alone.p50_ms:.2f} | {together.p50_ms:.2f} | {found} | "
        f"{single_runs(base, length)} |"
    )
    disturbed = alone.disturbed or together.disturbed
    finding = Finding(
        f"{scheme}, {ROWS} x {length}: {SET} against {BASE}", found, f"≤ {LIMITS[scheme]:.2f}",
        ratio.value <= LIMITS[scheme],
        unusable="other processes were busy in some rounds" if disturbed else "",
    )  # fmt: skip
    return line, finding


def single_runs(base: VariantLatency, length: int) -> str:
    """What 8 runs of one row cost, over one run of 8 rows: the base's own times, by round."""
    one, eight = base.at((1, length)).round_medians_ms, base.at((ROWS, length)).round_medians_ms
    ratios = [ROWS * single / together for single, together in zip(one, eight, strict=True)]
    low, high = median_interval(ratios)
    return f"{statistics.median(ratios):.2f} ({low:.2f}–{high:.2f})"
