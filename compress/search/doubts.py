"""What keeps trials from being compared with each other, in sentences, read off what is the same in all of them."""

from collections.abc import Iterator, Sequence

from compress.pipeline.graph import LATENCY
from compress.pipeline.measuring import reference_of
from compress.pipeline.search_space import Search
from compress.pipeline.spec import Pipeline
from compress.reporting.numbers import number
from compress.search.schema import TrialEntry
from compress.search.trial import varying_stages

LATENCY_SPREAD = 1.15
"""Medians of one model on one quiet machine lie closer together."""


def doubts_of(pipeline: Pipeline, search: Search, trials: Sequence[TrialEntry]) -> Iterator[str]:
    """One sentence where the reference's latencies differ between trials, one where its other figures do.

    Nothing where the reference itself varies, or there is none.
    """
    reference = reference_of(pipeline)
    if reference is None or reference in varying_stages(pipeline, search):
        return
    known = _figures_of(reference, trials)
    whose = f"'{reference}', which is the same in every trial"
    timed = known.pop(LATENCY, [1.0])
    if max(timed) > LATENCY_SPREAD * min(timed):
        yield (
            f"the latency of {whose}, was {number(min(timed))} ms in one and {number(max(timed))} ms in another: the "
            "machine was not equally fast, so latencies of trials compare roughly; latency_ms_ratio is taken in turns."
        )
    changed = next((name for name, values in known.items() if max(values) > min(values)), None)
    if changed is not None:
        values = known[changed]
        yield (
            f"{changed} of {whose}, was {number(min(values))} in one and {number(max(values))} in another: data, "
            "libraries or machines changed between them, so their figures do not quite compare; --study NAME begins "
            "anew."
        )


def _figures_of(stage: str, trials: Sequence[TrialEntry]) -> dict[str, list[float]]:
    """What was measured of the stage, trial by trial."""
    found: dict[str, list[float]] = {}
    for trial in trials:
        for name, value in trial.figures.items():
            if name.startswith(f"{stage}."):
                found.setdefault(name.removeprefix(f"{stage}."), []).append(value)
    return found
