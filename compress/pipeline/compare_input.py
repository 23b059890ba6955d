"""What `compress compare` is told on the command line: runs and stages, found and read before anything is drawn."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from compress.errors import ConfigurationError
from compress.pipeline.suggestions import did_you_mean
from compress.reporting.compare.side import Side, chosen_stage, measured_stages, sides_of
from compress.reporting.schema import SCHEMA_VERSION, Report, StageEntry
from compress.reporting.summary import stage_named

REPORT = "report.json"
LARGEST_MB = 64
MOST_RUNS = 24


@dataclass(frozen=True)
class Named:
    """A RUN as it was written, and what was found."""

    text: str
    path: Path
    report: Report
    stage: str | None
    """None: the last model, or all of them where this run stands alone."""


def read_sides(names: Sequence[str], *, runs: Path) -> tuple[list[Side], Side]:
    """The models to compare, and the one that the others differ from.

    Raises: ConfigurationError for what is no run, damaged, of a newer version, without such a stage, or named twice.
    """
    if len(names) > MOST_RUNS:
        raise ConfigurationError(f"{len(names)} runs are too many to read side by side: name at most {MOST_RUNS}.")
    named, problems = _read_all(names, runs=runs)
    if problems:
        raise ConfigurationError(*problems)
    if len(named) == 1 and named[0].stage is None:
        return _stages_of(named[0])
    chosen = [(one, _stage(one)) for one in named]
    _refuse_twice(chosen)
    labels = _labels(chosen)
    sides = [
        side
        for (one, stage), label in zip(chosen, labels, strict=True)
        for side in sides_of(one.report, stage, label=label, where=one.text)
    ]
    return sides, sides[0]


def find_run(name: str, *, runs: Path) -> Path | None:
    """The report.json that a folder, a file or a pipeline's name below `runs` stands for.

    Raises: ConfigurationError where the system does not let anybody look.
    """
    places = (Path(name), Path(name) / REPORT, runs / name / REPORT)
    try:
        return next((place for place in places if place.is_file()), None)
    except OSError as error:
        raise ConfigurationError(f"'{name[:200]}' cannot be looked for: {error.strerror or error}.") from error


def read_run(path: Path) -> Report:
    """Raises: ConfigurationError that says what is wrong with the file."""
    try:
        size_mb = path.stat().st_size / 1e6
        if size_mb > LARGEST_MB:
            raise ConfigurationError(f"{path} has {size_mb:.0f} MB; a report has at most {LARGEST_MB}.")
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is damaged: {error}. Run its pipeline again: it is written anew.") from error
    version = said.get("schema") if isinstance(said, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} has schema {version}, and this version of compress reads {SCHEMA_VERSION}: it was written by a "
            "newer one. Update compress, or run the pipeline again."
        )
    try:
        return Report.model_validate(said)
    except ValidationError as error:
        raise ConfigurationError(f"{path} is not a report: {_first(error)}.") from error


def _read_all(names: Sequence[str], *, runs: Path) -> tuple[list[Named], list[str]]:
    """All that can be read, and every problem at once."""
    named, problems = list[Named](), list[str]()
    reports = dict[Path, Report]()
    for name in names:
        try:
            path, stage = _located(name, runs=runs)
            report = reports[path.resolve()] = reports.get(path.resolve()) or read_run(path)
            one = Named(name, path, report, stage)
            _stage(one)
        except ConfigurationError as error:
            problems += error.problems
        else:
            named.append(one)
    return named, problems


def _located(name: str, *, runs: Path) -> tuple[Path, str | None]:
    """RUN, or RUN:STAGE; a colon in a path is believed where the path exists."""
    whole = find_run(name, runs=runs)
    if whole is not None:
        return whole, None
    run, colon, stage = name.rpartition(":")
    found = find_run(run, runs=runs) if colon and run else None
    if found is not None:
        return found, stage
    raise ConfigurationError(_no_such_run(run if colon and run else name, runs))


def _no_such_run(name: str, runs: Path) -> str:
    if Path(name).is_dir():
        return f"'{name}' has no {REPORT}: it is the folder of no run."
    if Path(name).is_absolute() or Path(name).suffix == ".json":
        return f"'{name}' does not exist."
    known = sorted(path.parent.name for path in runs.glob(f"*/{REPORT}"))
    if not known:
        return (
            f"there is no run '{name}', and none in {runs}: `compress run FILE` makes one; --runs names their folder."
        )
    return f"there is no run '{name}' in {runs}{did_you_mean(name, known, kind='runs')}"


def _stage(named: Named) -> StageEntry:
    """Raises: ConfigurationError when there is no such model in the run."""
    stage = chosen_stage(named.report, named.stage)
    if stage is not None:
        return stage
    models = [one.name for one in measured_stages(named.report)]
    if not models:
        raise ConfigurationError(f"{named.path}: no stage of this run made a model that was measured.")
    assert named.stage is not None
    there = stage_named(named.report, named.stage)
    if there is not None:
        why = "was not reached" if there.status == "skipped" else "made no model that was measured"
        raise ConfigurationError(f"{named.path}: stage '{named.stage}' {why}; models: {', '.join(models)}.")
    raise ConfigurationError(
        f"{named.path}: there is no stage '{named.stage}'{did_you_mean(named.stage, models, kind='models')}"
    )


def _stages_of(named: Named) -> tuple[list[Side], Side]:
    """Every model of one run; they differ from the run's reference, else from the first."""
    report = named.report
    sides = [
        side
        for stage in measured_stages(report)
        for side in sides_of(report, stage, label=stage.name, where=named.text)
    ]
    return sides, next((side for side in sides if side.label == report.reference), sides[0])


def _refuse_twice(chosen: Sequence[tuple[Named, StageEntry]]) -> None:
    counted = Counter((one.path.resolve(), stage.name) for one, stage in chosen)
    twice = [
        f"{path}: stage '{stage}' is named {count} times." for (path, stage), count in counted.items() if count > 1
    ]
    if twice:
        raise ConfigurationError(*twice)


def _labels(chosen: Sequence[tuple[Named, StageEntry]]) -> list[str]:
    """The shortest names that tell the models apart: of stages, of pipelines, of both, or as they were written."""
    one_run = len({one.path.resolve() for one, _ in chosen}) == 1
    stages = [stage.name for _, stage in chosen]
    pipelines = [one.report.pipeline for one, _ in chosen]
    both = [f"{pipeline}:{stage}" for pipeline, stage in zip(pipelines, stages, strict=True)]
    texts = [one.text if one.stage else f"{one.text}:{stage.name}" for one, stage in chosen]
    candidates = [*([stages] if one_run else []), pipelines, both, texts]
    return next((names for names in candidates if len(set(names)) == len(names)), texts)


def _first(error: ValidationError) -> str:
    """Where the first mistake is, and how many more there are."""
    first, *more = error.errors()
    place = ".".join(map(str, first["loc"])) or "it"
    others = f", and {len(more)} more" if more else ""
    newer = " (a newer version of compress may have written it)" if first["type"] == "extra_forbidden" else ""
    return f"{place}: {str(first['msg'])[:200]}{others}{newer}"
