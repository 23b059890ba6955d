"""Which rows measure a stage, as the file says it, and what is wrong or doubtful about its gates once they are known.

A model is measured on the one labelled data set that it goes back to; each adapter of a set on its own delta's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from compress.chain.artifacts import Dataset, Model
from compress.chain.manifest import DatasetManifest
from compress.chain.measure import Split
from compress.chain.step import Step, edges
from compress.errors import DataError, MeasurementError
from compress.evaluation.tasks import RECALL, known_figure
from compress.pipeline.enough_rows import too_few_rows
from compress.pipeline.spec import Pipeline

Known = Mapping[str, DatasetManifest | None]
"""By data stage; those that were not made yet are missing or None."""


@dataclass(frozen=True)
class Measured:
    """A model, or an adapter of a set, and where its rows come from."""

    whose: str
    """`stage 'student'`, for people."""
    split: Split
    stages: list[str]
    """The data stages that it goes back to."""

    def rows(self, known: Known) -> DatasetManifest | None:
        """The one labelled data set among them, once all of them are known."""
        found = [known.get(name) for name in self.stages]
        labelled = [one for one in found if one is not None and one.labelled]
        return labelled[0] if None not in found and len(labelled) == 1 else None


def measured_in(pipeline: Pipeline, step: Step) -> list[Measured]:
    """What the stage makes: one model, the adapters of a set, or nothing that is measured."""
    if step.produces().runtime is None:
        return []
    steps = {one.name: one for one in pipeline.stages}
    if not step.measured_parts():
        return [Measured(f"stage '{step.name}'", split_of(pipeline, step), data_stages(pipeline, step))]
    return [
        Measured(
            f"stage '{step.name}', adapter '{part}'",
            split_of(pipeline, step, steps[against]),
            data_stages(pipeline, steps[against]),
        )
        for part, against in step.measured_parts().items()
    ]


def split_of(pipeline: Pipeline, *steps: Step) -> Split:
    """The rows that are read: as the first of the steps says that says so, else as the pipeline does."""
    said = (step.measure.split for step in steps if step.measure is not None)
    return next((split for split in said if split is not None), pipeline.measure.split)


def data_stages(pipeline: Pipeline, step: Step) -> list[str]:
    """The data stages that a model goes back to, or the one that its `measure` names; none for other steps."""
    if step.produces().runtime is None:
        return []
    if step.measure is not None and step.measure.data is not None:
        return [step.measure.data]
    steps = {one.name: one for one in pipeline.stages}
    waiting, found = [step.name], dict[str, None]()
    while waiting:
        names = [edge.stage for edge in edges(steps[waiting.pop()]).values()]
        found |= dict.fromkeys(name for name in names if steps[name].produces() is Dataset)
        waiting += [name for name in names if steps[name].produces() is not Dataset]
    return list(found)


def makes_model(step: Step) -> bool:
    """Whether what the step makes answers for one task, and so can be compared with others."""
    return issubclass(step.produces(), Model)


def row_warnings(pipeline: Pipeline, step: Step, known: Known, *, newly: str | None = None) -> Iterator[str]:
    """One sentence for each limit of the step that is finer than the rows can tell.

    Args:
        pipeline: that the step stands in.
        step: with gates or without.
        known: what is known of the data sets.
        newly: only what is measured on the rows of this data stage.
    """
    for measured in measured_in(pipeline, step):
        rows = measured.rows(known)
        if rows is not None and (newly is None or newly in measured.stages):
            yield from too_few_rows(step, rows, split=measured.split, whose=measured.whose)


def refuse_unknown_labels(pipeline: Pipeline, step: Step, known: Known) -> None:
    """Raises: MeasurementError naming a gate on the recall of a label that the rows, all of them known, do not have."""
    rows = [measured.rows(known) for measured in measured_in(pipeline, step)]
    manifests = [one for one in rows if one is not None]
    if len(manifests) < len(rows) or not manifests:
        return
    for kind, figure, _ in step.gates.limits() if step.gates else ():
        if figure.startswith(RECALL) and (problem := _no_such_label(kind, figure, manifests)):
            raise MeasurementError(f"the gate {kind}.{figure} of '{step.name}': {problem}")


def refuse_missing_split(pipeline: Pipeline, step: Step, known: Known) -> None:
    """Raises: DataError naming what would be measured on rows that its data set, where it is known, does not have."""
    for measured in measured_in(pipeline, step):
        rows = measured.rows(known)
        if rows is not None and measured.split not in rows.splits:
            raise DataError(
                f"{measured.whose} is to be measured on {measured.split} rows, and its data set has none (it has "
                f"{', '.join(rows.splits)}): give them to load_data, let it cut them, or measure another split."
            )


def _no_such_label(kind: str, figure: str, manifests: Sequence[DatasetManifest]) -> str | None:
    """What is wrong where none of the data sets has the label."""
    problems = [known_figure(one.task, kind, figure, labels=one.labels) for one in manifests]
    if None in problems:
        return None
    if len(problems) == 1:
        return problems[0]
    there = dict.fromkeys(label for one in manifests for label in one.labels)
    return f"no adapter has the label '{figure.removeprefix(RECALL)}'; there are {', '.join(there)}."
