"""`compress plan`: what would run, what would be reused, and why, without running anything."""

from collections.abc import Sequence
from pathlib import Path

from compress.chain.key import difference, key_of, said_by
from compress.chain.step import Step, edges
from compress.chain.store import Store
from compress.chain.stored import Stored
from compress.pipeline.check import load_checked
from compress.pipeline.spec import Pipeline
from compress.progress import Progress
from compress.reporting.terminal import PlannedStage


def plan_file(
    file: Path,
    *,
    overrides: Sequence[str],
    store: Path,
    again_from: str | None = None,
    progress: Progress | None = None,
) -> list[PlannedStage]:
    """One row a stage. Raises: ConfigurationError, StoreError."""
    pipeline = load_checked(file, overrides=overrides, again_from=again_from).spec
    return plan(pipeline, Store(store, progress=progress), again_from=again_from)


def plan(pipeline: Pipeline, store: Store, *, again_from: str | None = None) -> list[PlannedStage]:
    """What `run` would do with every stage."""
    names = [step.name for step in pipeline.stages]
    again = set(names[names.index(again_from) :]) if again_from else set()
    digests: dict[str, str] = {}
    rows = []
    for step in pipeline.stages:
        found, why = (
            (None, "made again, as --from says") if step.name in again else _look_up(step, pipeline, store, digests)
        )
        if found is not None:
            digests[step.name] = found.digest
        rows.append(PlannedStage(step.name, step.step, found is not None, why))
    store.digests.save()
    return rows


def _look_up(step: Step, pipeline: Pipeline, store: Store, digests: dict[str, str]) -> tuple[Stored | None, str]:
    """The finished artifact, or why there is none."""
    waiting = [edge.stage for edge in edges(step).values() if edge.stage not in digests]
    if waiting:
        return None, f"reads '{waiting[0]}', which would run"
    said = said_by(step, seed=pipeline.seed, inputs=digests, digests=store.digests)
    found = store.find(key_of(said))
    if found is not None:
        return found, f"made {found.record['started']} in {found.seconds:.0f} s"
    earlier = _earlier(step, pipeline, store)
    changed = difference(earlier.record["said"], said) if earlier else None
    return None, changed or ("never made here" if earlier is None else "damaged or pruned")


def _earlier(step: Step, pipeline: Pipeline, store: Store) -> Stored | None:
    """What this stage made last, under another key."""
    mine = {"pipeline": pipeline.name, "stage": step.name}
    return next((stored for stored in store if mine.items() <= dict(stored.record.get("notes", {})).items()), None)
