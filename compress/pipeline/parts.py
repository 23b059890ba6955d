"""The parts of a model: the adapters of a set, each measured on its own rows beside the delta that it was made of.

A set as a whole has a size and latencies; everything that is read from rows belongs to its adapters.
"""

from collections.abc import Iterable, Mapping

from compress.benchmarking.size import model_size_mb
from compress.chain.artifacts import AdapterSet, Dataset, Model
from compress.chain.store import Store
from compress.evaluation.tasks import MODEL_FIGURES, primary_metric
from compress.pipeline.adapter_model import adapter_of
from compress.pipeline.bases import Bases
from compress.pipeline.measured_rows import split_of
from compress.pipeline.outcome import Outcome
from compress.pipeline.outputs import answers_of, compared
from compress.pipeline.spec import Pipeline
from compress.pipeline.workspace import dataset_by_digest
from compress.progress import Progress
from compress.reporting.schema import MeasuresEntry


class PartMeasuring:
    """Measures the adapters of the sets of one run."""

    def __init__(self, pipeline: Pipeline, *, store: Store, outcomes: Mapping[str, Outcome], bases: Bases) -> None:
        self.pipeline, self.store, self.outcomes, self.bases = pipeline, store, outcomes, bases

    def measure(self, outcome: Outcome, progress: Progress) -> None:
        """Fill in the set's size, each adapter's figures, and how each compares with its own delta."""
        made = outcome.artifact
        assert isinstance(made, AdapterSet)
        parts = {
            name: self._part(outcome, name, against, progress)
            for name, against in outcome.step.measured_parts().items()
        }
        outcome.measures = MeasuresEntry(
            primary=_shared([part.primary for part in parts.values()]), metrics={}, parts=parts,
            parameters=made.manifest.parameters, size_mb=model_size_mb(made.path),
        )  # fmt: skip

    def dataset(self, delta: Outcome) -> Dataset:
        """The rows that an adapter is measured on: those of its delta's stage."""
        assert isinstance(delta.artifact, Model)
        made = {stage: outcome.artifact for stage, outcome in self.outcomes.items() if outcome.artifact is not None}
        named = delta.step.measure.data if delta.step.measure else None
        found = made.get(named) if named else None
        if isinstance(found, Dataset):
            return found
        return dataset_by_digest(delta.artifact.manifest.dataset, made=made, store=self.store)

    def _part(self, outcome: Outcome, name: str, against: str, progress: Progress) -> MeasuresEntry:
        """The adapter's figures; its comparison is put beside the others of the stage."""
        made, delta = outcome.artifact, self.outcomes[against]
        assert isinstance(made, AdapterSet)
        assert isinstance(delta.artifact, Model)
        adapter, config = adapter_of(made, name), self.pipeline.measure
        dataset, split = self.dataset(delta), split_of(self.pipeline, outcome.step, delta.step)
        this, other = (
            answers_of(
                model, dataset, name=title, split=split, gated_batch=config.shapes[0][0], threads=config.threads,
                store=self.store, progress=progress, bases=self.bases,
            )
            for model, title in ((adapter, f"{outcome.step.name}, {name}"), (delta.artifact, against))
        )  # fmt: skip
        for note in this.notes:
            progress.warn(f"{outcome.step.name}, {name}: {note}")
        entry = compared(this, other, adapter, against=against, store=self.store)
        outcome.comparisons.append(entry.model_copy(update={"part": name}))
        return this.figures.model_copy(update={"size_mb": adapter.size_mb()})


def whole(figure: str) -> bool:
    """Whether a limit on the figure is about the set and not about each adapter."""
    return figure in MODEL_FIGURES


def _shared(names: Iterable[str]) -> str:
    """The main metric of all; of several the first task's."""
    return next(iter(names), primary_metric("text-classification"))
