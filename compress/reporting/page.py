"""`report.html`: one file that holds everything it needs; no request, no script.

Knows how a report is laid out. Figures come from `summary`, places on canvases from `charts`; the templates only write
them down, escaped. A content security policy in the page forbids every request, so that one that slipped in would fail.
"""

from functools import cache
from typing import Any

from jinja2 import Environment

from compress.chain.sensitivity import SensitivityReport
from compress.reporting.charts.confusion import confusion
from compress.reporting.charts.curves import curves
from compress.reporting.charts.gate_strip import gate_strip
from compress.reporting.charts.lineage import lineage
from compress.reporting.charts.reliability import reliability
from compress.reporting.charts.scatter import scatter
from compress.reporting.charts.sensitivity import STYLES as SENSITIVITY_STYLES
from compress.reporting.charts.sensitivity import SensitivityChart, sensitivity_chart
from compress.reporting.outcomes import OUTCOME_MARKS, OUTCOME_WORDS
from compress.reporting.page_environment import page_environment
from compress.reporting.schema import MeasuresEntry, Report, StageEntry
from compress.reporting.sensitivity import other_details, sensitivity_of
from compress.reporting.summary import (
    comparison_with,
    final_model,
    gate_sentence,
    gated_latency,
    headline,
    outcome_of,
    primary_of,
    rows_of,
    stage_named,
    verdict_mark,
    verdict_word,
)


def render(report: Report) -> str:
    """The page, complete."""
    final = final_model(report)
    rows = rows_of(report)
    return environment().get_template("page.html.j2").render(
        report=report,
        rows=rows,
        primary=primary_of(report),
        mark=verdict_mark(report),
        word=verdict_word(report),
        headline=headline(report),
        final=final,
        final_row=next((row for row in rows if final is not None and row.stage.name == final.name), None),
        reference=stage_named(report, report.reference),
        scatter=scatter(report),
        trained=[(stage, curves(stage)) for stage in report.stages if stage.curve],
        sensitivities=_sensitivities(report),
        confusion=confusion(final.measures) if final and final.measures else None,
        reliability=reliability(final.measures.reliability) if final and final.measures else None,
        gates=[(stage, verdict, gate_strip(verdict)) for stage in report.stages for verdict in stage.verdicts],
        latencies=[stage for stage in report.stages if stage.measures and stage.measures.latency],
        lineage=lineage(report),
    )  # fmt: skip


@cache
def environment() -> Environment:
    """Templates, escaped, with the report's vocabulary."""
    made = page_environment()
    made.globals.update(
        outcome_of=outcome_of,
        outcome_words=OUTCOME_WORDS,
        outcome_marks=OUTCOME_MARKS,
        gate_sentence=gate_sentence,
        latency_ratio=latency_ratio,
        models_in=models_in,
        gated_latency=gated_latency,
        other_details=other_details,
        sensitivity_styles=SENSITIVITY_STYLES,
    )
    return made


def latency_ratio(stage: StageEntry, against: str | None, batch_size: int, length: int) -> dict[str, Any] | None:
    """The ratio to another stage at one shape, if it was taken."""
    comparison = comparison_with(stage, against)
    found = comparison.latency_ratios if comparison else []
    return next((one for one in found if (one.get("batch_size"), one.get("length")) == (batch_size, length)), None)


def models_in(name: str, measures: MeasuresEntry) -> list[tuple[str, MeasuresEntry]]:
    """The measures of a model and, below it, of each of its parts."""
    parts = [found for part, inner in measures.parts.items() for found in models_in(f"{name}, {part}", inner)]
    return [(name, measures), *parts]


def _sensitivities(report: Report) -> list[tuple[StageEntry, SensitivityReport, SensitivityChart | None]]:
    found = [(stage, sensitivity_of(stage)) for stage in report.stages]
    return [(stage, measured, sensitivity_chart(measured)) for stage, measured in found if measured is not None]
