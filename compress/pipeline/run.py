"""`compress run`: read the file, check it, run its stages, publish what came of it."""

import time
from collections.abc import Sequence
from pathlib import Path

from compress.benchmarking.machine import environment
from compress.chain.processes import alone, leads
from compress.chain.provenance import now, provenance
from compress.chain.store import Store
from compress.errors import ConfigurationError
from compress.extras import require
from compress.openmp import spin_briefly
from compress.pipeline.check import load_checked
from compress.pipeline.publishing import publish
from compress.pipeline.recording import Recording
from compress.pipeline.runner import Runner
from compress.pipeline.yaml.file import LoadedPipeline
from compress.progress import Progress, Silent
from compress.reporting.schema import Report

STORE = Path(".compress")
RUNS = Path("runs")


def run_file(
    file: Path,
    *,
    overrides: Sequence[str] = (),
    store: Path = STORE,
    runs: Path = RUNS,
    again_from: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run a pipeline file and publish to `runs`/<pipeline>/.

    Args:
        file: the pipeline file.
        overrides: as `--set`.
        store: where finished work is kept.
        runs: where results are published.
        again_from: this stage and those after it are made again.
        progress: told what goes on.

    Raises:
        ConfigurationError: every mistake in the file, before any work.
        StoreError: store or runs cannot be written.
    """
    recording = Recording(progress if progress is not None and leads() else Silent())
    _refuse_again_in_several_processes(again_from)
    loaded = load_checked(file, overrides=overrides, again_from=again_from)
    for warning in loaded.warnings:
        recording.warn(warning)
    require("train")
    spin_briefly()
    report = run_loaded(loaded, store=Store(store, progress=recording), recording=recording, again_from=again_from)
    return publish(report, runs=runs, progress=recording) if leads() else report


def run_loaded(loaded: LoadedPipeline, *, store: Store, recording: Recording, again_from: str | None = None) -> Report:
    """Run a pipeline that has no mistakes; nothing is published."""
    started, clock = now(), time.perf_counter()
    runner = Runner(loaded.spec, store=store, progress=recording, again_from=again_from)
    runner.run()
    seconds = round(time.perf_counter() - clock, 3)
    return _report(loaded, runner, started=started, seconds=seconds, warnings=recording.warnings)


def exit_code(report: Report, *, strict: bool) -> int:
    """0 no gate failed; 3 a gate failed, or is within noise when `strict`; 4 a stage failed."""
    if any(stage.status == "failed" for stage in report.stages):
        return 4
    bad = {"fail", "within_noise"} if strict else {"fail"}
    return 3 if any(verdict.verdict in bad for stage in report.stages for verdict in stage.verdicts) else 0


def _refuse_again_in_several_processes(again_from: str | None) -> None:
    """Raises: ConfigurationError for `--from` below a launcher: the others would take the old work and not train."""
    if again_from is not None and not alone():
        raise ConfigurationError(
            "--from needs a single process: make the stages again without torchrun, or change a seed."
        )


def _report(loaded: LoadedPipeline, runner: Runner, *, started: str, seconds: float, warnings: list[str]) -> Report:
    """What came of the stages, with what they were made on."""
    return Report(
        pipeline=loaded.spec.name,
        seed=loaded.spec.seed,
        started=started,
        seconds=seconds,
        passed=runner.passed,
        stages=[outcome.entry() for outcome in runner.outcomes.values()],
        environment={**environment(), **provenance()},
        warnings=warnings,
        configuration=loaded.text,
        reference=runner.measuring.reference,
    )
