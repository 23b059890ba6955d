"""Runs the stages in order: each is found in the store or made, measured and judged; the first failure ends the work.

Knows the order of things and nothing of models: steps make, `measuring` measures, gates judge.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compress.chain.artifacts import Artifact, Dataset, artifact_of
from compress.chain.gates import Verdict
from compress.chain.key import key_of, said_by
from compress.chain.processes import leads
from compress.chain.step import Step, edges
from compress.chain.store import Store
from compress.errors import CompressError
from compress.extras import advice
from compress.pipeline.judging import judge_stage
from compress.pipeline.measuring import Measuring
from compress.pipeline.outcome import Outcome
from compress.pipeline.recording import Recording
from compress.pipeline.spec import Pipeline
from compress.pipeline.workspace import StageWorkspace
from compress.progress import Progress


class Runner:
    """One execution of a pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        store: Store,
        progress: Progress,
        again_from: str | None = None,
        stops: Callable[[Outcome], bool] | None = None,
    ) -> None:
        """`stops` is asked after each stage that did not fail; True ends the run there."""
        self._stops = stops
        self.pipeline, self.store, self.progress = pipeline, store, progress
        self.outcomes = {step.name: Outcome(step) for step in pipeline.stages}
        names = list(self.outcomes)
        self._again = frozenset(names[names.index(again_from) :]) if again_from else frozenset()
        self.measuring = Measuring(pipeline, store=store, outcomes=self.outcomes)

    @property
    def passed(self) -> bool:
        """Every stage is there and no gate failed."""
        return all(
            outcome.artifact and not outcome.error and not outcome.failed_gate for outcome in self.outcomes.values()
        )

    def run(self) -> None:
        """Make, measure and judge every stage, up to the first that fails."""
        for outcome in self.outcomes.values():
            with self._guarded(outcome):
                self._make(outcome)
                if leads():
                    self._measure_and_judge(outcome)
            if outcome.error or outcome.failed_gate or (self._stops is not None and self._stops(outcome)):
                return

    def made(self) -> dict[str, Artifact]:
        """The artifacts so far, by stage."""
        return {name: outcome.artifact for name, outcome in self.outcomes.items() if outcome.artifact is not None}

    def _make(self, outcome: Outcome) -> None:
        """Find the stage's artifact in the store, or run its step."""
        step, made = outcome.step, self.made()
        inputs = {edge.stage: made[edge.stage].digest for edge in edges(step).values()}
        said = said_by(step, seed=self.pipeline.seed, inputs=inputs, digests=self.store.digests)
        outcome.key, kind = key_of(said), step.produces().__name__
        stored = self.store.make(
            outcome.key,
            kind=kind,
            said=said,
            build=(lambda folder: self._build(step, folder, made)) if leads() or step.trains else _nothing,
            again=step.name in self._again,
        )
        if leads():
            self.store.touch(stored)
        outcome.stored, outcome.artifact = stored, artifact_of(kind, stored.path, stored.digest)
        outcome.status = "ran" if stored.made_now else "reused"
        outcome.warnings += stored.record.get("notes", {}).get("warnings", [])
        self.progress.say(f"{step.name}: {_done(outcome)}")

    def _build(self, step: Step, folder: Path, made: Mapping[str, Artifact]) -> dict[str, Any]:
        """Run the step in an empty folder; what it warned of goes into the record."""
        recording = Recording(self.progress)
        seed = step.seed if step.seed is not None else self.pipeline.seed
        self.progress.say(f"{step.name}: {step.step} …")
        workspace = StageWorkspace(
            folder, key=self.outcomes[step.name].key, seed=seed, progress=recording, store=self.store, made=made,
            bases=self.measuring.bases,
        )  # fmt: skip
        step.run(workspace)
        return {"warnings": recording.warnings, "pipeline": self.pipeline.name, "stage": step.name}

    def _measure_and_judge(self, outcome: Outcome) -> None:
        """Take the figures of a model, compare it, and hold its gates against them."""
        recording = Recording(self.progress)
        if isinstance(outcome.artifact, Dataset):
            self.measuring.look_ahead(outcome.step.name, recording)
        if outcome.artifact is not None and outcome.artifact.runtime is not None:
            self.measuring.measure(outcome, recording)
        outcome.warnings += recording.warnings
        outcome.verdicts = judge_stage(outcome)
        for verdict in outcome.verdicts:
            if verdict.verdict != "pass":
                self.progress.warn(_said(outcome.step.name, verdict))

    @contextmanager
    def _guarded(self, outcome: Outcome) -> Iterator[None]:
        """Turn what a stage raises into its error: the boundary behind which nothing is carried on."""
        clock = time.perf_counter()
        try:
            yield
        except CompressError as error:
            outcome.error = str(error)
        except ModuleNotFoundError as error:
            known = advice(error)
            outcome.error = str(known) if known else _unexpected(error)
        except Exception as error:  # noqa: BLE001  the run ends here; the report and the exit code say so
            outcome.error = _unexpected(error)
        outcome.seconds = time.perf_counter() - clock
        if outcome.error:
            outcome.status = "failed"
            self.progress.warn(f"stage '{outcome.step.name}' failed: {outcome.error}")


def _nothing(_folder: Path) -> None:
    """What a process that does not lead builds in a step that does not train."""


def _done(outcome: Outcome) -> str:
    assert outcome.stored is not None
    if outcome.status == "reused":
        return f"reused (made in {outcome.stored.seconds:.0f} s)"
    return f"made in {outcome.stored.seconds:.1f} s"


def _said(name: str, verdict: Verdict) -> str:
    """A verdict that is not `pass`, in words."""
    against = f" against '{verdict.against}'" if verdict.against else ""
    reach = f" (95% interval {verdict.interval[0]:.4g} to {verdict.interval[1]:.4g})" if verdict.interval else ""
    word = "fails" if verdict.verdict == "fail" else "is within noise of"
    gate = f"its gate {verdict.gate}{against}: measured {verdict.measured:.4g}{reach}, limit {verdict.limit:.4g}"
    of = f", adapter '{verdict.part}'," if verdict.part else ""
    return f"stage '{name}'{of} {word} {gate}"


def _unexpected(error: BaseException) -> str:
    """An error that nobody foresaw, with the place in the code."""
    frames = "".join(traceback.format_exception(error)[-6:])
    return f"unexpected {type(error).__name__}: {error}\n{frames}"
