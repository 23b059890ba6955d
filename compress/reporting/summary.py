"""What the result table says about each stage, read out of a report; the terminal and the page draw the same rows."""

from dataclasses import dataclass

from compress.reporting.numbers import given, interval, number, times
from compress.reporting.outcomes import Outcome, worst
from compress.reporting.parts import PartRow, part_rows, set_in_words
from compress.reporting.schema import ComparisonEntry, FigureEntry, LatencyEntry, Report, StageEntry, VerdictEntry


@dataclass(frozen=True)
class Row:
    """One stage in the result table; None where a figure was not taken."""

    stage: StageEntry
    outcome: Outcome
    is_reference: bool
    figure: FigureEntry | None = None
    """The task's main metric."""
    drop: FigureEntry | None = None
    """Of that metric, against the reference."""
    size_mb: float | None = None
    p50_ms: float | None = None
    """At the gated shape."""
    speed_up: float | None = None
    """The reference's latency divided by this one's."""
    parts: tuple[PartRow, ...] = ()
    """The adapters of a set."""


def rows_of(report: Report) -> list[Row]:
    """One row a stage, in the order of the pipeline."""
    reference = stage_named(report, report.reference)
    return [_row(stage, reference) for stage in report.stages]


def stage_named(report: Report, name: str | None) -> StageEntry | None:
    """The stage called `name`, if there is one."""
    return next((stage for stage in report.stages if stage.name == name), None)


def final_model(report: Report) -> StageEntry | None:
    """The last stage that was measured."""
    return next((stage for stage in reversed(report.stages) if stage.measures is not None), None)


def primary_of(report: Report) -> str:
    """The main metric's name for the head of a column; `score` where models of several tasks stand together."""
    measured = [stage.measures for stage in report.stages if stage.measures is not None]
    names = {one.primary for measures in measured for one in (measures.parts.values() or [measures])}
    return names.pop() if len(names) == 1 else "score"


def ancestors_of(report: Report, stage: StageEntry) -> list[StageEntry]:
    """All that `stage` was made out of and itself, in the order of the pipeline."""
    wanted = {stage.name}
    for earlier in reversed(report.stages):
        if earlier.name in wanted:
            wanted.update(earlier.inputs)
    return [one for one in report.stages if one.name in wanted]


def outcome_of(stage: StageEntry) -> Outcome:
    """The worst that happened to the stage."""
    if stage.status == "failed" or stage.error is not None:
        return "error"
    if stage.status == "skipped":
        return "skipped"
    return worst({verdict.verdict for verdict in stage.verdicts})


def gated_latency(stage: StageEntry) -> LatencyEntry | None:
    """The first shape: the one that gates use."""
    return stage.measures.latency[0] if stage.measures is not None and stage.measures.latency else None


def comparison_with(stage: StageEntry, other: str | None) -> ComparisonEntry | None:
    """The comparison of the stage's model with the stage called `other`, if it was made."""
    return next((one for one in stage.comparisons if one.against == other and one.part is None), None)


def verdict_mark(report: Report) -> Outcome:
    """How the whole run came out."""
    outcomes = {outcome_of(stage) for stage in report.stages}
    if not report.passed:
        return "error" if "error" in outcomes else "fail"
    return "within_noise" if "within_noise" in outcomes else "pass"


def verdict_word(report: Report) -> str:
    """`Passed`, `Passed, within noise` or `Failed`."""
    return {"pass": "Passed", "within_noise": "Passed, within noise"}.get(verdict_mark(report), "Failed")


def headline(report: Report) -> str:
    """Why the run passed or failed, in a sentence or two."""
    if not report.passed:
        reasons = [reason for stage in report.stages for reason in _reasons(stage)] or ["The run did not pass."]
        more = [f"{_counted(len(reasons) - 1, 'more problem')} below."] if len(reasons) > 1 else []
        return " ".join([reasons[0], *more, *([] if report.published else ["Nothing was published."])])
    doubts = sum(verdict.verdict == "within_noise" for stage in report.stages for verdict in stage.verdicts)
    if not doubts:
        return _achievement(report)
    are = f"{_counted(doubts, 'gate')} {'is' if doubts == 1 else 'are'}"
    return f"{_achievement(report)} {are} within noise: the interval reaches beyond the limit."


def gate_sentence(stage: StageEntry, verdict: VerdictEntry) -> str:
    """One gate in words."""
    against = f" against '{verdict.against}'" if verdict.against else ""
    of = f"'{verdict.part}' in '{stage.name}'" if verdict.part else f"'{stage.name}'"
    measured = f"{verdict.gate} of {of}{against} is {number(verdict.measured)}"
    side = "must be at least" if verdict.gate.startswith("min.") else "may be at most"
    return f"{measured}; it {side} {given(verdict.limit)}."


def _row(stage: StageEntry, reference: StageEntry | None) -> Row:
    outcome = outcome_of(stage)
    is_reference = reference is not None and stage.name == reference.name
    if stage.measures is None:
        return Row(stage, outcome, is_reference)
    comparison = comparison_with(stage, reference.name if reference else None)
    latency = gated_latency(stage)
    return Row(
        stage,
        outcome,
        is_reference,
        figure=stage.measures.metrics.get(stage.measures.primary),
        drop=comparison.drops.get(stage.measures.primary) if comparison else None,
        size_mb=stage.measures.size_mb,
        p50_ms=latency.p50_ms if latency else None,
        speed_up=_speed_up(stage, reference, comparison),
        parts=tuple(part_rows(stage)),
    )


def _speed_up(stage: StageEntry, reference: StageEntry | None, comparison: ComparisonEntry | None) -> float | None:
    """From the ratio taken in turns; where there is none, from the two medians at the same shape."""
    if reference is None or stage.name == reference.name:
        return None
    ratio = comparison.ratios.get("latency_ms") if comparison else None
    if ratio is not None and ratio.value > 0:
        return 1 / ratio.value
    mine, theirs = gated_latency(stage), gated_latency(reference)
    if mine is None or theirs is None or not mine.p50_ms:
        return None
    same = (mine.batch_size, mine.length, mine.threads) == (theirs.batch_size, theirs.length, theirs.threads)
    return theirs.p50_ms / mine.p50_ms if same else None


def _reasons(stage: StageEntry) -> list[str]:
    """Why this stage stops the run."""
    missed = [gate_sentence(stage, verdict) for verdict in stage.verdicts if verdict.verdict == "fail"]
    return missed + ([_error_sentence(stage)] if outcome_of(stage) == "error" else [])


def _error_sentence(stage: StageEntry) -> str:
    lines = (stage.error or "").strip().splitlines()
    reason = lines[0] if lines else "an error without a message"
    return f"Stage '{stage.name}' stopped: {reason}" + ("" if reason.endswith((".", "!", "?")) else ".")


def _achievement(report: Report) -> str:
    """What the final model is, against the reference where there is one."""
    rows = {row.stage.name: row for row in rows_of(report)}
    final, reference = final_model(report), stage_named(report, report.reference)
    if final is None or final.measures is None:
        return f"{_counted(len(report.stages), 'stage')} finished; no model was measured."
    if final.measures.parts and not final.measures.metrics:
        return set_in_words(final)
    row, primary = rows[final.name], final.measures.primary
    if reference is None or reference.measures is None or row.is_reference:
        score = f" has {primary} {number(row.figure.value)} and" if row.figure else ""
        return f"'{final.name}'{score} takes {number(row.size_mb)} MB."
    said = [_factor(reference.measures.size_mb, final.measures.size_mb, "smaller", "larger")]
    if row.speed_up is not None:
        said.append(f"{times(row.speed_up)} faster" if row.speed_up >= 1 else f"{times(1 / row.speed_up)} slower")
    return f"'{final.name}' is {' and '.join(said)} than '{reference.name}'{_change(row, primary)}."


def _change(row: Row, primary: str) -> str:
    if row.drop is None:
        return ""
    value = row.drop.value
    change = (
        f"keeps its {primary}" if value == 0 else f"{'loses' if value > 0 else 'gains'} {number(abs(value))} {primary}"
    )
    bounds = f" (95% interval of the drop: {interval(row.drop.interval)})" if row.drop.interval else ""
    return f", and {change}{bounds}"


def _factor(before: float, after: float, less: str, more: str) -> str:
    if not before or not after:
        return f"{number(after)} MB"
    return f"{times(before / after)} {less}" if after <= before else f"{times(after / before)} {more}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
