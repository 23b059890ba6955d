"""What is measured where: each model on its own data, against the stage that its gates name and the reference.

Decides; `outputs` and `latencies` do the measuring and keep it in the store, `parts` measures the adapters of a set.
"""

from collections import Counter
from collections.abc import Mapping

from compress.chain.artifacts import AdapterSet, Dataset, LoraDelta, Model
from compress.chain.measure import Split
from compress.chain.step import Step
from compress.chain.store import Store
from compress.evaluation.tasks import MODEL_FIGURES, drop_of
from compress.pipeline.bases import Bases
from compress.pipeline.latencies import Pair, latencies_of
from compress.pipeline.measured_rows import (
    data_stages,
    makes_model,
    refuse_missing_split,
    refuse_unknown_labels,
    row_warnings,
    split_of,
)
from compress.pipeline.outcome import Outcome
from compress.pipeline.outputs import Answers, answers_of, base_folder, compared
from compress.pipeline.parts import PartMeasuring
from compress.pipeline.spec import Pipeline
from compress.pipeline.workspace import dataset_by_digest
from compress.progress import Progress
from compress.reporting.schema import ComparisonEntry, FigureEntry, LatencyEntry, MeasuresEntry

LATENCY = "latency_ms"


class Measuring:
    """Measures the models of one run."""

    def __init__(self, pipeline: Pipeline, *, store: Store, outcomes: Mapping[str, Outcome]) -> None:
        self.pipeline, self.store, self.outcomes = pipeline, store, outcomes
        self.reference = reference_of(pipeline)
        self.bases = Bases(pipeline.stages, digests=store.digests)
        self.parts = PartMeasuring(pipeline, store=store, outcomes=outcomes, bases=self.bases)

    def measure(self, outcome: Outcome, progress: Progress) -> None:
        """Fill in the stage's figures, comparisons and latencies."""
        if isinstance(outcome.artifact, AdapterSet):
            self.parts.measure(outcome, progress)
        else:
            self._measure_whole(outcome, progress)
        if self._wants_latency(outcome.step):
            self._measure_latency(outcome, progress)

    def _measure_whole(self, outcome: Outcome, progress: Progress) -> None:
        """One model on its own rows."""
        model = outcome.artifact
        assert isinstance(model, Model)
        answers = self._answers(outcome, outcome, progress)
        for note in answers.notes:
            progress.warn(f"{outcome.step.name}: {note}")
        own = {name: FigureEntry(value=value) for name, value in model.manifest.figures.items()}
        metrics = {**answers.figures.metrics, **own}
        outcome.measures = answers.figures.model_copy(
            update={"size_mb": size_of(model, self.bases), "metrics": metrics}
        )
        for other in self._others(outcome.step):
            theirs = self._answers(other, outcome, progress)
            entry = compared(answers, theirs, model, against=other.step.name, store=self.store)
            outcome.comparisons.append(_with_model_figures(entry, outcome.measures, other.measures))

    def look_ahead(self, name: str, progress: Progress) -> None:
        """Once the rows of the data stage `name` are known, look at the stages that they measure and their gates.

        Warns of too few rows. Raises: DataError naming a stage whose rows are missing, MeasurementError naming a gate
            on the recall of a label that is none.
        """
        made = {stage: outcome.artifact for stage, outcome in self.outcomes.items()}
        known = {stage: one.manifest for stage, one in made.items() if isinstance(one, Dataset)}
        for step in self.pipeline.stages:
            if name in data_stages(self.pipeline, step):
                for warning in row_warnings(self.pipeline, step, known, newly=name):
                    progress.warn(warning)
                refuse_missing_split(self.pipeline, step, known)
                refuse_unknown_labels(self.pipeline, step, known)

    def _split(self, step: Step) -> Split:
        """The rows that the stage is measured on."""
        return split_of(self.pipeline, step)

    def _answers(self, outcome: Outcome, measured_as: Outcome, progress: Progress) -> Answers:
        """What `outcome`'s model answers to the rows that `measured_as` is measured on."""
        model, step = outcome.artifact, measured_as.step
        assert isinstance(model, Model)
        assert isinstance(measured_as.artifact, Model)
        config, own = self.pipeline.measure, step.measure
        return answers_of(
            model,
            self._dataset(measured_as.artifact, own.data if own else None),
            name=outcome.step.name,
            split=self._split(step),
            gated_batch=config.shapes[0][0],
            threads=config.threads,
            store=self.store,
            progress=progress,
            bases=self.bases,
        )

    def _dataset(self, model: Model, named: str | None) -> Dataset:
        """The data set of the stage that `measure: {data: …}` names, or the one that the model was trained on."""
        made = {name: outcome.artifact for name, outcome in self.outcomes.items() if outcome.artifact is not None}
        if named is not None:
            dataset = made[named]
            assert isinstance(dataset, Dataset)
            return dataset
        return dataset_by_digest(model.manifest.dataset, made=made, store=self.store)

    def _others(self, step: Step) -> list[Outcome]:
        """The earlier models that it is compared with: what its gates name, then the reference; a set with none."""
        if not makes_model(step):
            return []
        named = [step.gates.against if step.gates else None, self.reference]
        wanted = [name for name in dict.fromkeys(named) if name is not None and name != step.name]
        found = [self.outcomes[name] for name in wanted]
        return [outcome for outcome in found if isinstance(outcome.artifact, Model) and outcome.measures is not None]

    def _wants_latency(self, step: Step) -> bool:
        """Gated stages and the last model, or every model."""
        if self.pipeline.measure.latency != "gated":
            return self.pipeline.measure.latency == "all"
        gated = step.gates is not None and any(figure == LATENCY for _, figure, _ in step.gates.limits())
        return gated or step is last_model(self.pipeline)

    def _measure_latency(self, outcome: Outcome, progress: Progress) -> None:
        """In turns with each model that it is compared with; that one's own latencies are filled in on the way."""
        others = self._others(outcome.step)
        for other in others or [outcome]:
            pair = self._time(outcome, other, progress)
            _fill_in(outcome, pair.this)
            if other is not outcome:
                _fill_in(other, pair.other)
                at = next(index for index, entry in enumerate(outcome.comparisons) if entry.against == other.step.name)
                outcome.comparisons[at] = _with_ratio(outcome.comparisons[at], pair)

    def _time(self, outcome: Outcome, other: Outcome, progress: Progress) -> Pair:
        made = {one.step.name: one.artifact for one in (outcome, other)}
        models = {name: one for name, one in made.items() if isinstance(one, (Model, AdapterSet))}
        return latencies_of(
            models, self._timed_on(outcome), split=self._split(outcome.step), config=self.pipeline.measure,
            store=self.store, progress=progress, bases=self.bases,
        )  # fmt: skip

    def _timed_on(self, outcome: Outcome) -> Dataset:
        """The texts of a latency: the model's own; of a set, those of its first adapter, since lengths are given."""
        model, own = outcome.artifact, outcome.step.measure
        if isinstance(model, Model):
            return self._dataset(model, own.data if own else None)
        against = next(iter(outcome.step.measured_parts().values()))
        return self.parts.dataset(self.outcomes[against])


def reference_of(pipeline: Pipeline) -> str | None:
    """The stage that models are compared with: as the file says, the one gates name most often, or the first model."""
    if pipeline.measure.against is not None:
        return pipeline.measure.against
    named = Counter(step.gates.against for step in pipeline.stages if step.gates and step.gates.against)
    if named:
        return named.most_common(1)[0][0]
    return next((step.name for step in pipeline.stages if makes_model(step) and step.produces() is not LoraDelta), None)


def last_model(pipeline: Pipeline) -> Step | None:
    """The last stage that makes a model, or a set of adapters."""
    return next((step for step in reversed(pipeline.stages) if step.produces().runtime is not None), None)


def size_of(model: Model, bases: Bases) -> float:
    """10^6 bytes of all that the model needs to run."""
    from compress.benchmarking.size import model_size_mb

    return model_size_mb(model.path, base_folder=base_folder(model, bases))


def _with_model_figures(entry: ComparisonEntry, this: MeasuresEntry, other: MeasuresEntry | None) -> ComparisonEntry:
    """Drops and ratios of what every model has: size and parameters."""
    assert other is not None
    drops, ratios = dict(entry.drops), dict(entry.ratios)
    for figure in sorted(MODEL_FIGURES - {LATENCY}):
        mine, theirs = float(getattr(this, figure)), float(getattr(other, figure))
        drops[figure] = FigureEntry(value=drop_of(figure, mine, theirs))
        if theirs:
            ratios[figure] = FigureEntry(value=mine / theirs)
    return entry.model_copy(update={"drops": drops, "ratios": ratios})


def _with_ratio(entry: ComparisonEntry, pair: Pair) -> ComparisonEntry:
    """The latency ratio of every shape; the first is the gated one."""
    first = pair.ratios[0]
    gated = FigureEntry(value=first["value"], interval=first["interval"])
    drop = FigureEntry(value=drop_of(LATENCY, pair.this[0].p50_ms, pair.other[0].p50_ms))
    return entry.model_copy(
        update={
            "ratios": {**entry.ratios, LATENCY: gated},
            "drops": {**entry.drops, LATENCY: drop},
            "latency_ratios": pair.ratios,
        }
    )


def _fill_in(outcome: Outcome, latency: list[LatencyEntry]) -> None:
    """The first measurement of a model stands in its entry."""
    assert outcome.measures is not None
    if not outcome.measures.latency:
        outcome.measures = outcome.measures.model_copy(update={"latency": latency})
