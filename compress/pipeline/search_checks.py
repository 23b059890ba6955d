"""What is wrong with a `search` block, before any work: fields that are none, values out of bounds, unknown figures.

Every choice, and both bounds of a range, are put into the file one at a time and the whole is checked as a file is. A
value that fits only beside another value of the search (four bits, where the scheme is one that has bits) is allowed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from compress.chain.step import NOT_IN_KEY, Loc, Step
from compress.errors import ConfigurationError
from compress.pipeline.check import missing_outside
from compress.pipeline.figure_rules import FigureLimit, parse_limit
from compress.pipeline.figures import about_figure, full_name, said_name
from compress.pipeline.search_space import Choices, Range, Search
from compress.pipeline.suggestions import did_you_mean
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.locating import locate
from compress.pipeline.yaml.mistakes import Mistake
from compress.pipeline.yaml.nodes import Place
from compress.pipeline.yaml.rewriting import flow
from compress.pipeline.yaml.varying import SEARCH, try_values

NOT_SEARCHED = NOT_IN_KEY - {"seed"} | {"step"}
MOST_PAIRS = 200


def search_of(loaded: LoadedPipeline) -> Search:
    """The file's `search` block, without mistakes.

    Raises: ConfigurationError when there is none, or with every mistake in it.
    """
    search = loaded.spec.search
    if search is None:
        raise ConfigurationError(
            f"{loaded.path}: there is no 'search' block: add one with 'fields' and 'objectives' (docs/search.md), "
            "or run the pipeline as it is with `compress run`"
        )
    problems = list(search_problems(loaded))
    if problems:
        raise ConfigurationError(*problems)
    return search


def search_problems(loaded: LoadedPipeline) -> Iterator[str]:
    """One sentence with its place for every mistake; nothing for a file without `search`."""
    search = loaded.spec.search
    if search is None:
        return
    yield from _about_fields(loaded, search)
    for index, objective in enumerate(search.objectives):
        loc: Loc = (SEARCH, "objectives", index)
        if objective.stage is not None and (unknown := _no_stage(loaded, objective.stage)):
            yield loaded.said_at((*loc, "stage"), f"search.objectives.{index}.stage: {unknown}")
            continue
        wrong = about_figure(loaded.spec, full_name(loaded.spec, objective.figure, objective.stage))
        if wrong is not None:
            key = "maximize" if objective.maximize is not None else "minimize"
            yield loaded.said_at((*loc, key), f"search.objectives.{index}.{key}: {wrong}")
    yield from _same_twice(loaded)
    for index, limit in enumerate(limits_of(loaded).values()):
        wrong = about_figure(loaded.spec, limit.figure)
        if wrong is not None:
            yield loaded.said_at((SEARCH, "constraints", index), f"search.constraints.{index}: {wrong}")


def objective_names(loaded: LoadedPipeline) -> list[str]:
    """The figure of each objective, as trials name it."""
    assert loaded.spec.search is not None
    objectives = loaded.spec.search.objectives
    return [said_name(loaded.spec, full_name(loaded.spec, one.figure, one.stage)) for one in objectives]


def limits_of(loaded: LoadedPipeline) -> dict[str, FigureLimit]:
    """The constraints by how they were written, their figures as trials name them."""
    assert loaded.spec.search is not None
    limits = {text: parse_limit(text) for text in loaded.spec.search.constraints}
    return {text: replace(one, figure=said_name(loaded.spec, one.figure)) for text, one in limits.items()}


def _same_twice(loaded: LoadedPipeline) -> Iterator[str]:
    names = objective_names(loaded)
    for index, name in enumerate(names):
        if name in names[:index]:
            first = names.index(name)
            yield loaded.said_at((SEARCH, "objectives", index), f"'{name}' is objective {first + 1} already: keep one")


def _about_fields(loaded: LoadedPipeline, search: Search) -> Iterator[str]:
    """Of every field, the mistakes of its first value that fits nowhere."""
    for path, field in search.fields.items():
        place = locate(loaded.root, (SEARCH, "fields", path)).place
        if (wrong := _about_path(path)) is not None:
            yield f"{place}: search field '{path}'{wrong}"
            continue
        for loc, value in extremes(field):
            at = locate(loaded.root, (SEARCH, "fields", path, *loc)).place
            mistakes = _mistakes(loaded, path, value, at)
            if mistakes and not _fits_beside_another(loaded, search, path, value):
                yield from dict.fromkeys(_said(mistake, at, path, value) for mistake in mistakes)
                break


def _about_path(path: str) -> str | None:
    """What is wrong with where a field points, whatever stages there are."""
    stage, _, rest = path.partition(".")
    if not rest:
        return f": it names no field: write STAGE.FIELD, as in {stage}.seed"
    if rest.split(".")[0] in NOT_SEARCHED:
        known = ", ".join(f"'{name}'" for name in sorted(NOT_SEARCHED))
        return f": {known} are not searched: they say nothing of how a model is made"
    return None


def extremes(field: Choices | Range) -> list[tuple[Loc, Any]]:
    """Every choice, or both bounds, each with its place below the field; of broken numbers, one between them too."""
    if isinstance(field, Choices):
        return [(("choices", index), choice) for index, choice in enumerate(field.choices)]
    bounds: list[tuple[Loc, Any]] = [(("low",), field.low), (("high",), field.high)]
    return bounds if field.whole else [*bounds, ((), field.inner)]  # 2.0 is a number of layers, 2.5 is none


def _mistakes(loaded: LoadedPipeline, path: str, value: Any, place: Place) -> list[Mistake]:
    return _wrong(loaded, {path: value}, path, {path: place})


def _wrong(loaded: LoadedPipeline, values: Mapping[str, Any], path: str, places: Mapping[str, Place]) -> list[Mistake]:
    """What is wrong with the file once it has the values; what they name from outside must be there."""
    made, mistakes = try_values(loaded, values, places=places)
    if made is None:
        return mistakes
    stage, place = path.partition(".")[0], places.get(path, Place(path))
    there = _missing(loaded, stage)  # said of the file itself already
    return [Mistake(place, problem) for problem in _missing(made, stage) if problem not in there]


def _missing(loaded: LoadedPipeline, stage: str) -> list[str]:
    return [problem for step in loaded.spec.stages if step.name == stage for _, problem in missing_outside(step)]


def _fits_beside_another(loaded: LoadedPipeline, search: Search, path: str, value: Any) -> bool:
    """Whether some value of another field of the same stage makes this one valid."""
    stage = path.partition(".")[0]
    others: Iterator[Mapping[str, Any]] = (
        {other: theirs, path: value}
        for other, field in search.fields.items()
        if other != path and other.partition(".")[0] == stage
        for _, theirs in extremes(field)
    )
    return any(not _wrong(loaded, both, path, {}) for both in islice(others, MOST_PAIRS))


def _said(mistake: Mistake, place: Place, path: str, value: Any) -> str:
    """A mistake that a value makes: where the value is, and where the mistake shows if that is elsewhere."""
    elsewhere = f" (at {mistake.place})" if mistake.place != place else ""
    return f"{place}: search field '{path}' with {flow(value)}: {mistake.message}{elsewhere}"


def _no_stage(loaded: LoadedPipeline, name: str) -> str | None:
    names = [step.name for step in _models(loaded)]
    return None if name in names else f"there is no model stage '{name}'{did_you_mean(name, names, kind='there are')}"


def _models(loaded: LoadedPipeline) -> list[Step]:
    return [step for step in loaded.spec.stages if step.produces().runtime is not None]
