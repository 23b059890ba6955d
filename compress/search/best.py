"""The trial that was chosen: run once more as a plain pipeline, on the rows that the file names, and published."""

from pathlib import Path

from compress.chain.store import Store
from compress.pipeline.figures import figures_of_report
from compress.pipeline.publishing import publish
from compress.pipeline.recording import Recording
from compress.pipeline.run import run_loaded
from compress.pipeline.yaml.file import LoadedPipeline
from compress.progress import Progress
from compress.reporting.schema import Report
from compress.search.schema import PickEntry, TrialEntry

BEST = "best"


def run_best(
    plain: LoadedPipeline, trial: TrialEntry, *, rule: str, folder: Path, store: Store, progress: Progress,
    written: Path | None,
) -> PickEntry:  # fmt: skip
    """Run it, every stage out of the store, and publish to `folder`/best/; what it reaches there."""
    recording = Recording(progress)
    report = run_loaded(plain, store=store, recording=recording)
    published = publish(report, runs=folder, progress=recording, folder=folder / BEST)
    return PickEntry(
        trial=trial.number,
        rule=rule,
        split=plain.spec.measure.split,
        figures=figures_of_report(plain.spec, published.stages),
        passed=published.passed,
        reason=_failure(published),
        run=str(folder / BEST),
        written=str(written) if written is not None else None,
    )


def _failure(report: Report) -> str | None:
    """The first thing that did not pass."""
    for stage in report.stages:
        if stage.error:
            return f"stage '{stage.name}': {stage.error}"
        for verdict in stage.verdicts:
            if verdict.verdict == "fail":
                return f"{stage.name}: {verdict.gate} measured {verdict.measured:.4g}, limit {verdict.limit:.4g}"
    return None
