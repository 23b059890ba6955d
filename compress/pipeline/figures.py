"""The figures of a whole run by name, before it ran and after it: `accuracy`, `int8.size_mb`, `accuracy_drop`.

A name without a stage is of the last model. `FIGURE_drop` and `FIGURE_ratio` compare with the pipeline's reference
stage; so does `agreement`.
"""

from collections.abc import Mapping, Sequence

from compress.chain.artifacts import Model
from compress.chain.step import Step
from compress.evaluation.tasks import AGREEMENT, MODEL_FIGURES, RECALL, known_figure
from compress.pipeline.figure_rules import DROP, NOT_IN_RULES, RATIO
from compress.pipeline.graph import LATENCY, task_of
from compress.pipeline.measuring import last_model, reference_of
from compress.pipeline.outcome import Outcome
from compress.pipeline.spec import Pipeline
from compress.pipeline.suggestions import did_you_mean
from compress.reporting.schema import ComparisonEntry, FigureEntry, MeasuresEntry, StageEntry

Measured = tuple[MeasuresEntry | None, Sequence[ComparisonEntry]]
NO_LATENCY = "latency is not measured: set measure.latency to 'gated' or 'all'"


def full_name(pipeline: Pipeline, figure: str, stage: str | None) -> str:
    """The name of a stage's figure; that of the last model stands alone."""
    last = last_model(pipeline)
    return figure if stage is None or (last is not None and stage == last.name) else f"{stage}.{figure}"


def split_name(pipeline: Pipeline, name: str) -> tuple[Step | None, str]:
    """The stage and its figure: `recall.sport` is a figure of the last model unless a stage is called `recall`."""
    first, dot, rest = name.partition(".")
    models = {step.name: step for step in pipeline.stages if step.produces().runtime is not None}
    return (models[first], rest) if dot and first in models else (last_model(pipeline), name)


def said_name(pipeline: Pipeline, name: str) -> str:
    """The name as `figures_of` has it: the last model's figures stand alone, however they were asked for."""
    step, figure = split_name(pipeline, name)
    return full_name(pipeline, figure, step.name if step is not None else None)


def is_latency(pipeline: Pipeline, name: str) -> bool:
    """Whether the figure is read off a clock."""
    return base_figure(split_name(pipeline, name)[1])[1] == LATENCY


def base_figure(figure: str) -> tuple[str, str]:
    """The kind of gate that asks for it, and the figure that it asks for: (`max_drop`, `accuracy`)."""
    for ending, kind in ((DROP, "max_drop"), (RATIO, "max_ratio")):
        if figure.endswith(ending):
            return kind, figure.removesuffix(ending)
    return "min", figure


def about_figure(pipeline: Pipeline, name: str) -> str | None:
    """What is wrong with the figure in this pipeline, as one sentence without a full stop; None when it is known."""
    step, figure = split_name(pipeline, name)
    if step is None:
        return "no stage makes a model, so there is no figure"
    if NOT_IN_RULES.search(figure):
        return f"'{figure}' has a comma or a sign in its name, which rules cannot say: call the label otherwise"
    if figure in step.own_figures():
        return None
    if wrong := _no_such_stage(pipeline, name):
        return wrong
    kind, base = base_figure(figure)
    task = task_of(pipeline.stages, step.name)
    if step.measured_parts():
        return _about_set(figure) or (_not_timed(pipeline, step, figure) if base == LATENCY else None)
    if task is not None and (wrong := known_figure(task, kind, base)):
        return wrong.rstrip(".")
    if (kind != "min" or base == AGREEMENT) and (wrong := _not_compared(pipeline, step, figure)):
        return wrong
    return _not_timed(pipeline, step, figure) if base == LATENCY else None


def figures_of(pipeline: Pipeline, outcomes: Mapping[str, Outcome]) -> dict[str, float]:
    """Everything that was measured so far, by name; a latency is the median at the gated shape."""
    return _named(pipeline, {name: (one.measures, one.comparisons) for name, one in outcomes.items()})


def figures_of_report(pipeline: Pipeline, stages: Sequence[StageEntry]) -> dict[str, float]:
    """The same of a run that ended."""
    return _named(pipeline, {stage.name: (stage.measures, stage.comparisons) for stage in stages})


def _named(pipeline: Pipeline, measured: Mapping[str, Measured]) -> dict[str, float]:
    reference, found = reference_of(pipeline), dict[str, float]()
    for name, (measures, comparisons) in measured.items():
        if measures is not None:
            own = {**_own(measures), **_compared(comparisons, reference)}
            found |= {full_name(pipeline, figure, name): value for figure, value in own.items()}
    return found


def _own(measures: MeasuresEntry) -> dict[str, float]:
    timed = {LATENCY: measures.latency[0].p50_ms} if measures.latency else {}
    known = {name: entry.value for name, entry in measures.metrics.items()}
    return {**known, "size_mb": measures.size_mb, "parameters": float(measures.parameters), **timed}


def _compared(comparisons: Sequence[ComparisonEntry], reference: str | None) -> dict[str, float]:
    """Drops, ratios and agreement against the reference."""
    entry = next((one for one in comparisons if one.against == reference and one.part is None), None)
    if entry is None:
        return {}
    agreement = {AGREEMENT: entry.agreement.value} if entry.agreement else {}
    return {**_values(entry.drops, DROP), **_values(entry.ratios, RATIO), **agreement}


def _values(entries: Mapping[str, FigureEntry], ending: str) -> dict[str, float]:
    return {f"{name}{ending}": entry.value for name, entry in entries.items()}


def _no_such_stage(pipeline: Pipeline, name: str) -> str | None:
    """A first part that is the name of no model, unless it is that of a figure itself."""
    first, dot, _ = name.partition(".")
    names = [step.name for step in pipeline.stages if step.produces().runtime is not None]
    if not dot or f"{first}." == RECALL or first in names:
        return None
    return f"'{name}': there is no model stage '{first}'{did_you_mean(first, names, kind='there are')}"


def _about_set(figure: str) -> str | None:
    """A set of adapters has as many accuracies as adapters; only what it has as a whole can be sought."""
    known = sorted(MODEL_FIGURES)
    if figure in known:
        return None
    return f"'{figure}' is not a figure of a set as a whole{did_you_mean(figure, known, kind='there are')}"


def _not_compared(pipeline: Pipeline, step: Step, figure: str) -> str | None:
    """Why the stage is not compared with the reference."""
    reference = reference_of(pipeline)
    names = [one.name for one in pipeline.stages]
    if not issubclass(step.produces(), Model) or reference is None or names.index(reference) >= names.index(step.name):
        return f"'{figure}' compares with an earlier stage, and '{step.name}' has none: set measure.against"
    return None


def _not_timed(pipeline: Pipeline, step: Step, figure: str) -> str | None:
    """Why the stage's latency is not measured, or not beside the reference."""
    if pipeline.measure.latency == "none":
        return NO_LATENCY
    gated = step.gates is not None and any(limit[1] == LATENCY for limit in step.gates.limits())
    if pipeline.measure.latency == "all" or gated or step is last_model(pipeline):
        return None
    return (
        f"'{figure}' of '{step.name}' is not measured, only that of stages with a latency gate and of the last model: "
        "set measure.latency to 'all'"
    )
