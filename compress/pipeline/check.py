"""`compress check`: every mistake in a pipeline file and in what it reads from outside, before any work."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from compress.chain.artifacts import Dataset
from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.manifest import DatasetManifest
from compress.chain.outside import HUB, LocalPath, ModelSource, Outside
from compress.chain.step import Loc, Step, edges, leaves
from compress.chain.store import Store
from compress.errors import CompressError, ConfigurationError
from compress.pipeline.measured_rows import row_warnings
from compress.pipeline.spec import Pipeline
from compress.pipeline.suggestions import did_you_mean
from compress.pipeline.yaml.file import LoadedPipeline, read_pipeline


def load_checked(
    file: Path, *, overrides: Sequence[str] = (), again_from: str | None = None, with_search: bool = False
) -> LoadedPipeline:
    """The pipeline, if nothing is wrong with it; local files and packages that it names are there.

    A hub is not asked: that needs a network and is said when the stage runs. `with_search`: the values and figures of
    its `search` block are checked too, which a run does not read.

    Raises: ConfigurationError with every mistake.
    """
    loaded = read_pipeline(file, overrides=overrides, environ=os.environ)
    problems = [*_missing(loaded), *_unknown_stage(loaded, again_from)]
    if with_search and loaded.spec.search is not None:
        from compress.pipeline.search_checks import search_problems  # here: it looks at how models are measured

        problems += search_problems(loaded)
    if problems:
        raise ConfigurationError(*problems)
    return loaded


def data_warnings(loaded: LoadedPipeline, root: Path) -> list[str]:
    """Limits that are too fine for the rows of data sets that are in the store already; nothing is loaded for it."""
    if not (root / "artifacts").is_dir():
        return []
    store, pipeline = Store(root), loaded.spec
    known = {step.name: _stored(step, pipeline, store) for step in pipeline.stages if step.produces() is Dataset}
    store.digests.save()
    return [warning for step in pipeline.stages for warning in row_warnings(pipeline, step, known)]


def _stored(step: Step, pipeline: Pipeline, store: Store) -> DatasetManifest | None:
    """The manifest of a data set that was made before; a hub is not asked, so what comes from there is not known."""
    if edges(step) or any(getattr(value, "kind", None) == "hub" for _, value in leaves(step)):
        return None
    stored = store.find(key_of(said_by(step, seed=pipeline.seed, inputs={}, digests=store.digests)))
    return DatasetManifest.read(stored.path) if stored is not None else None


def _missing(loaded: LoadedPipeline) -> Iterator[str]:
    """What the stages would read from outside and is not there."""
    for index, stage in enumerate(loaded.spec.stages):
        for loc, problem in missing_outside(stage):
            yield loaded.said_at(_place(index, loc), problem)


def missing_outside(stage: Step) -> Iterator[tuple[Loc, str]]:
    """What the stage would read from outside and is not there: where it says so, and why it cannot be read."""
    for loc, value in leaves(stage):
        problem = _problem(value)
        if problem is not None:
            yield loc, problem


def _place(index: int, loc: Loc) -> Loc:
    return ("stages", index, *loc)


def _problem(value: object) -> str | None:
    """Why the outside thing cannot be read, without reading it."""
    if isinstance(value, ModelSource) and value.scheme == HUB:
        return None
    if isinstance(value, LocalPath) and not isinstance(value, ModelSource):
        return None if value.path.exists() else f"'{value.path}' does not exist"
    if not isinstance(value, Outside) or getattr(value, "kind", None) == "hub":
        return None
    try:
        value.fingerprint(Digests()) if not isinstance(value, ModelSource) else value.resolve()
    except CompressError as error:
        return str(error).rstrip(".")
    return None


def _unknown_stage(loaded: LoadedPipeline, name: str | None) -> Iterator[str]:
    names = [step.name for step in loaded.spec.stages]
    if name is not None and name not in names:
        yield f"--from: there is no stage '{name}'{did_you_mean(name, names, kind='stages')}"
