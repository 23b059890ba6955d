"""What `schemes.py` prints of its reports: how fast one run's schemes are, and what all runs' schemes lose and cost."""

from typing import Any

from edge import estimate, times_faster

Report = dict[str, Any]
Stage = dict[str, Any]

FLOAT = ("trained_int4", "trained_int4_onnx", "trained_static", "trained_static_onnx")
"""On the way to a scheme, in float."""
ALIKE = ("delta", "teacher", "student", "edge", *FLOAT)
"""Stages that are no scheme."""


def speeds(report: Report) -> str:
    """A row for each scheme: accuracy, size, and how much faster it is than the float student in PyTorch."""
    head = ["scheme", "accuracy (95%)", "MB", *shapes(report)]
    rows = [
        [stage["name"], accuracy(stage), f"{stage['measures']['size_mb']:.2f}", *faster(stage)]
        for stage in schemes(report)
    ]
    return markdown(head, rows)


def losses(reports: dict[str, Report]) -> str:
    """What each scheme loses against its float student, in points with the 95% interval; a column for each run."""
    rows = [["the float student's accuracy", *(accuracy(named(report, "student")) for report in reports.values())]]
    rows += [[name, *(lost(named(report, name)) for report in reports.values())] for name in names(reports)]
    return markdown(["lost, points", *reports], rows)


def makings(reports: dict[str, Report]) -> str:
    """What each scheme takes to make, in seconds, training included; a column for each run."""
    rows = [[name, *(f"{seconds(report, name):.0f}" for report in reports.values())] for name in names(reports)]
    return markdown(["seconds to make", *reports], rows)


def schemes(report: Report) -> list[Stage]:
    """The stages that are models of a scheme, in order."""
    return [stage for stage in report["stages"] if stage["measures"] and stage["name"] not in ALIKE]


def names(reports: dict[str, Report]) -> list[str]:
    """Of the schemes that all runs have."""
    return [stage["name"] for stage in schemes(next(iter(reports.values())))]


def named(report: Report, name: str) -> Stage:
    """One stage."""
    return next(stage for stage in report["stages"] if stage["name"] == name)


def seconds(report: Report, name: str) -> float:
    """What the stage took, and for one that was trained its training, on top of the student."""
    before = {"int4_trained": FLOAT[:2], "static_trained": FLOAT[2:]}.get(name, ())
    return float(sum(named(report, one)["made_in_seconds"] for one in (name, *before)))


def accuracy(stage: Stage) -> str:
    """With its interval."""
    return estimate(stage["measures"]["metrics"]["accuracy"])


def lost(stage: Stage) -> str:
    """Points of accuracy against the float student."""
    drop = against_student(stage)["drops"]["accuracy"]
    low, high = drop["interval"]
    return f"{100 * drop['value']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def faster(stage: Stage) -> list[str]:
    """Ratios to the float student, shape by shape."""
    return [times_faster(ratio) for ratio in against_student(stage)["latency_ratios"]]


def against_student(stage: Stage) -> dict[str, Any]:
    """The comparison with the float student."""
    return next(one for one in stage["comparisons"] if one["against"] == "student")


def shapes(report: Report) -> list[str]:
    """The batch and the length of each latency."""
    timed = named(report, "onnx")["measures"]["latency"]
    return [f"{one['batch_size']} × {one['length']}" for one in timed]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
