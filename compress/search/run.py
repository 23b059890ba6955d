"""`compress search`: open a study, try sets of values, choose one, and prove it on the test rows.

Everything that can be wrong is found before the first trial. What is finished is in the study and in the store, so the
same command goes on after whatever ended it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compress.benchmarking.machine import environment
from compress.chain.processes import alone
from compress.chain.provenance import provenance
from compress.chain.store import Store
from compress.errors import ConfigurationError, StoreError
from compress.extras import require
from compress.openmp import spin_briefly
from compress.pipeline.check import load_checked
from compress.pipeline.recording import Recording
from compress.pipeline.search_checks import limits_of, objective_names, search_of
from compress.pipeline.search_space import WORKER_PATTERN, Search
from compress.pipeline.yaml.file import LoadedPipeline
from compress.progress import Progress, Silent
from compress.search.begun import Begun, published, storage_watched
from compress.search.database import open_storage, without_password
from compress.search.identity import claim, said_by
from compress.search.loop import work
from compress.search.picking import choosing_of
from compress.search.plain import refuse_target
from compress.search.proving import choose_and_prove
from compress.search.schema import SearchReport
from compress.search.study import open_study, queue_written
from compress.search.summary import About
from compress.search.trial import TrialRunner, needs_latency
from compress.search.watch import NobodyWatches, SearchWatch
from compress.search.workers import refuse_same_name, whoami

STORE, RUNS = Path(".compress"), Path("runs")
NAME_RULE = "need a name of letters, digits, '_', '.' and '-', 64 at most"


@dataclass(frozen=True)
class Asked:
    """What the command line asked for beside the file."""

    overrides: Sequence[str] = ()
    trials: int | None = None
    """In all; None: as the file says."""
    storage: str | None = None
    """A URL; None: an SQLite file in the search's folder."""
    study: str | None = None
    """Its name; None: the pipeline's."""
    worker: str | None = None
    """This worker's name, where several work on the study."""
    latency_worker: str | None = None
    """Of several, the one that measures latencies; None: as the file says."""
    pick: str | None = None
    """How the trial is chosen; None: with one objective, or to `write`, the best by the first; else none is yet."""
    write: Path | None = None
    """Where its plain pipeline is written."""


def search_file(
    file: Path,
    asked: Asked | None = None,
    *,
    store: Path = STORE,
    runs: Path = RUNS,
    progress: Progress | None = None,
    watch: SearchWatch | None = None,
) -> SearchReport:
    """Search over the fields that the file's `search` block names, and publish to `search_folder`.

    Raises:
        ConfigurationError: every mistake, before any work.
        StoreError: the storage cannot be reached, store or runs cannot be written.
        StepError: trials fail one after the other for the same reason, or no trial can be chosen.
    """
    asked = asked or Asked()
    if not alone():
        raise ConfigurationError("a search needs a single process: start it without torchrun, once on each machine.")
    loaded = load_checked(file, overrides=asked.overrides)
    search, rule = search_of(loaded), choosing_of(asked.pick, loaded.spec)
    if asked.write is not None:
        refuse_target(asked.write, file)
    _refuse_nameless(asked, search, loaded)
    recording = Recording(progress or Silent())
    for warning in loaded.warnings:
        recording.warn(warning)
    require("search")
    require("train")
    begun = _begin(loaded, search, asked, store=store, runs=runs, recording=recording, watch=watch or NobodyWatches())
    spin_briefly()
    with storage_watched(begun.url):
        work(begun)
        if begun.chooses:
            choose_and_prove(begun, rule, asked.write, proves=_is_said(asked, search))
        return published(begun)


def _refuse_nameless(asked: Asked, search: Search, loaded: LoadedPipeline) -> None:
    """Raises: ConfigurationError where several workers would each measure latencies on their own machine."""
    for name in (asked.worker, asked.latency_worker, asked.study):
        if name is not None and not re.fullmatch(WORKER_PATTERN, name):
            raise ConfigurationError(f"--worker, --latency-worker and --study {NAME_RULE}, found '{name}'.")
    measuring = asked.latency_worker or search.latency_worker
    limits = [limit.figure for limit in limits_of(loaded).values()]
    if asked.worker is None and measuring is not None:
        raise ConfigurationError(
            f"'{measuring}' is the worker that measures latencies, and this one has no name: give it one with "
            f"--worker NAME (--worker {measuring} for the one that measures), or name no latency worker."
        )
    timed = needs_latency(loaded.spec, [*objective_names(loaded), *limits])
    if asked.worker is not None and measuring is None and timed:
        raise ConfigurationError(
            "several workers cannot all measure latencies, since those of two machines do not compare: name the one "
            "that does with search.latency_worker in the file or --latency-worker NAME, or leave latency out of "
            "objectives, constraints and gates and seek size_mb."
        )


def _begin(
    loaded: LoadedPipeline,
    search: Search,
    asked: Asked,
    *,
    store: Path,
    runs: Path,
    recording: Recording,
    watch: SearchWatch,
) -> Begun:
    """Open everything. Raises: ConfigurationError, StoreError."""
    name = asked.study or loaded.spec.name
    folder, home = (search_folder(runs.absolute(), loaded.spec.name, one) for one in (name, loaded.spec.name))
    url = asked.storage or f"sqlite:///{home / 'study.db'}"
    shown = without_password(url) if asked.storage else "study.db"
    for one in (folder, home):
        _make_folder(one)
    storage = open_storage(url)
    me = whoami(asked.worker)
    with storage_watched(url):
        study = open_study(storage, name=name, search=search)
        claim(study, said_by(loaded, search), where=shown)
        refuse_same_name(study, me)
        queue_written(study, loaded, search)
    names, opened = objective_names(loaded), Store(store, progress=recording)
    measures = asked.worker is None or asked.worker == (asked.latency_worker or search.latency_worker)
    about = About(loaded, search, names, shown, asked.trials or search.trials, {**environment(), **provenance()},
                  options_again(asked, store=store, runs=runs))  # fmt: skip
    runner = TrialRunner(
        loaded, search, names=names, store=opened, progress=recording.progress, measures_latency=measures
    )
    return Begun(
        about, study, storage, url, runner, opened, folder, recording, watch, me, measures_latency=measures,
        chooses=_has_last_word(asked, measures=measures),
    )  # fmt: skip


def _has_last_word(asked: Asked, *, measures: bool) -> bool:
    """Of several workers, the one that measures latencies chooses, and one that is told how."""
    return measures or asked.pick is not None or asked.write is not None


def _is_said(asked: Asked, search: Search) -> bool:
    """Whether it is known which trial to choose: by several objectives none is the best; test rows are read once."""
    return asked.pick is not None or asked.write is not None or len(search.objectives) == 1


def options_again(asked: Asked, *, store: Path, runs: Path) -> tuple[tuple[str, str], ...]:
    """The options that come back to this search and run no more trials, beside those that its report says."""
    said = (("--trials", asked.trials, None), ("--store", store, STORE), ("--runs", runs, RUNS))
    return tuple((option, str(value)) for option, value, default in said if value != default)


def search_folder(runs: Path, pipeline: str, study: str) -> Path:
    """Where a study leaves its results: `RUNS/PIPELINE/search`, or `…/search-STUDY` for one with a name of its own."""
    return runs / pipeline / ("search" if study == pipeline else f"search-{study}")


def _make_folder(folder: Path) -> None:
    """Raises: StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made ({error}): choose another place with --runs.") from error
