"""Reads a pipeline file: text, tree, variables, overrides, validation, graph; every mistake at its place, all at once.

Knows no runner and no concrete step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from compress.chain.measure import Measure
from compress.chain.outside import LocalPath
from compress.chain.step import Loc, Step, leaves
from compress.errors import ConfigurationError
from compress.evaluation.tasks import known_figure
from compress.pipeline.graph import Broken, check_stages, idle_stages
from compress.pipeline.spec import Pipeline, registered, spec_of
from compress.pipeline.suggestions import shown
from compress.pipeline.yaml.annotations import alternatives, tagged
from compress.pipeline.yaml.explaining import explain, refuse_booleans, sentence
from compress.pipeline.yaml.locating import STAGES, locate
from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import Items, Node, Scalar, Table, plain, scalar_at
from compress.pipeline.yaml.overrides import is_below, overridden
from compress.pipeline.yaml.syntax import YamlError
from compress.pipeline.yaml.text import read_text
from compress.pipeline.yaml.tree import parse
from compress.reporting.configuration import with_overrides


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline without mistakes."""

    spec: Pipeline
    path: Path
    text: str
    """The file as it was run: with the overrides as comments at its end; variables are not filled in."""
    folder: Path
    """Absolute; what relative paths of the file are relative to."""
    warnings: tuple[str, ...]
    root: Table
    """Where everything was written."""
    put: tuple[Loc, ...] = ()
    """Where `--set` put something: relative paths there are relative to the working directory."""

    def said_at(self, loc: Loc, message: str) -> str:
        """The message with place and stage in front, for what is found later."""
        at = locate(self.root, loc)
        return f"{at.place}: {sentence(self.root, at.path, message)}"


def read_pipeline(
    path: Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str], steps: Any = None
) -> LoadedPipeline:
    """Read and check a pipeline file.

    Args:
        path: of the YAML file; relative paths in it are relative to its folder.
        overrides: `stage.field=value`, as behind `--set`; relative paths in them are relative to the working directory.
        environ: for `${env:NAME}`.
        steps: the union of steps, discriminated by `step`; None: those of `compress.steps`.

    Raises: ConfigurationError with every mistake.
    """
    text, mistakes = read_text(path), Mistakes()
    spec = registered() if steps is None else spec_of(steps)
    try:
        written = parse(text, str(path), environ=environ, mistakes=mistakes)
    except YamlError as problem:
        mistakes.add(problem.place, problem.message)
        raise mistakes.error() from None
    table = _table(written, path)
    fields = list(spec.model_fields)
    root, put = overridden(table, overrides, fields=fields, environ=environ, mistakes=mistakes)
    folder = path.parent.absolute()
    pipeline = _Validation(root, spec, folder, mistakes).pipeline()
    if pipeline is None:
        raise mistakes.error()
    pipeline = _paths_of_overrides(pipeline, root, put, spec, folder)
    loaded = LoadedPipeline(pipeline, path, with_overrides(text, overrides), folder, (), root, tuple(put))
    return _with_warnings(loaded)


def with_tree(loaded: LoadedPipeline, root: Table, mistakes: Mistakes) -> LoadedPipeline | None:
    """The same file with another tree, validated and checked as if it had been written so; None with `mistakes`."""
    spec = type(loaded.spec)
    pipeline = _Validation(root, spec, loaded.folder, mistakes).pipeline()
    if pipeline is None:
        return None
    pipeline = _paths_of_overrides(pipeline, root, loaded.put, spec, loaded.folder)
    return replace(loaded, spec=pipeline, root=root)


def _table(root: Node | None, path: Path) -> Table:
    """The root as a mapping. Raises: ConfigurationError."""
    needed = "needs a mapping with 'name' and 'stages'"
    if root is None:
        raise ConfigurationError(f"{path}:1:1: the file is empty: it {needed}")
    if isinstance(root, Table):
        return root
    hint = ": write 'stages:' above the list and indent it" if isinstance(root, Items) else ""
    raise ConfigurationError(f"{root.place}: the file {needed}, found {shown(plain(root))}{hint}")


class _Validation:
    """Validates the tree as a whole and, where that fails, checks the stages that are valid."""

    def __init__(self, root: Table, spec: type[Pipeline], folder: Path, mistakes: Mistakes) -> None:
        self._root, self._spec, self._mistakes = root, spec, mistakes
        self._context = {"folder": folder}
        self._values: dict[str, Any] = plain(root)

    def pipeline(self) -> Pipeline | None:
        """The pipeline; None when there are mistakes."""
        pipeline: Pipeline | None = None
        try:
            pipeline = self._spec.model_validate(self._values, context=self._context)
        except ValidationError as error:
            explain(error, self._root, self._spec, self._mistakes)
        stages = pipeline.stages if pipeline else self._stages()
        measure = pipeline.measure if pipeline else self._measure()
        seed = self._spec.model_fields["seed"].default  # any number: it is what was written that counts
        numbers = {"seed": seed, "measure": measure, STAGES: stages, "search": pipeline.search if pipeline else None}
        refuse_booleans(numbers, self._root, self._mistakes)
        self._check(stages, measure)
        return None if self._mistakes else pipeline

    def _check(self, stages: Sequence[Step | Broken], measure: Measure) -> None:
        for problem in check_stages(stages, measure, known_figure=known_figure):
            at = locate(self._root, problem.loc)
            self._mistakes.add(at.place, sentence(self._root, at.path, problem.message))

    def _stages(self) -> list[Step | Broken]:
        """Each stage on its own: the step, or what is known of a broken one."""
        stages = self._root.entries[STAGES].node if STAGES in self._root.entries else None
        items = stages.items if isinstance(stages, Items) else ()
        return [self._stage(item) for item in items]

    def _stage(self, item: Node) -> Step | Broken:
        try:
            alone = self._spec.model_validate({"name": "alone", STAGES: [plain(item)]}, context=self._context)
        except ValidationError:
            return self._broken(item)
        return alone.stages[0]

    def _broken(self, item: Node) -> Broken:
        """The name, and what its step would make."""
        members = alternatives(self._spec.model_fields[STAGES].annotation.__args__[0])  # type: ignore[union-attr]
        classes = tagged(members, str(scalar_at(item, "step")))
        return Broken(str(scalar_at(item, "name") or ""), classes[0].produces() if classes else None)

    def _measure(self) -> Measure:
        """`measure` if that is valid, the defaults otherwise."""
        try:
            return Measure.model_validate(self._values.get("measure", {}))
        except ValidationError:
            return Measure()


def _paths_of_overrides(
    pipeline: Pipeline, root: Table, put: Sequence[Loc], spec: type[Pipeline], folder: Path
) -> Pipeline:
    """The pipeline with relative paths that came by `--set` taken from the working directory."""
    values = plain(root)
    changed = False
    for loc, value in leaves(pipeline):
        overridden_here = any(is_below(loc, one) for one in put)
        if overridden_here and isinstance(value, LocalPath) and isinstance(locate(root, loc).node, Scalar):
            *above, last = loc
            _at(values, above)[last] = type(value).parse(str(_at(values, loc)), Path.cwd())
            changed = True
    return spec.model_validate(values, context={"folder": folder}) if changed else pipeline


def _at(values: Any, loc: Sequence[int | str]) -> Any:
    for part in loc:
        values = values[part]
    return values


def _with_warnings(loaded: LoadedPipeline) -> LoadedPipeline:
    warnings = tuple(loaded.said_at(problem.loc, problem.message) for problem in idle_stages(loaded.spec))
    return replace(loaded, warnings=warnings)
