"""One model that stands beside others: where it comes from, the rows and the machine that measured it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compress.reporting.compare.split import split_of
from compress.reporting.outcomes import Outcome
from compress.reporting.schema import MeasuresEntry, Report, StageEntry
from compress.reporting.summary import ancestors_of, final_model, outcome_of, stage_named

MACHINE = ("processor", "architecture", "cores", "quota_cores")
RUNTIMES = ("onnxruntime", "torch")


@dataclass(frozen=True)
class Rows:
    """The rows that measured a model."""

    digests: tuple[str, ...]
    """Of the labelled data sets that it goes back to; almost always one, none when that is not known."""
    count: int
    split: str
    """`validation` or `test`."""


@dataclass(frozen=True)
class Side:
    """One model, or one adapter of a set."""

    label: str
    """How tables call it; unique among those that are compared."""
    where: str
    """The run as it was named."""
    report: Report
    stage: StageEntry
    measures: MeasuresEntry
    part: str | None = None

    @property
    def outcome(self) -> Outcome:
        """Of the stage's gates."""
        return outcome_of(self.stage)

    @cached_property
    def rows(self) -> Rows:
        """What it was measured on."""
        stages = _data_stages(self.report, self._measured_as)
        digests = tuple(sorted(one.artifact.digest for one in stages if one.artifact is not None))
        return Rows(digests, self.measures.rows, split_of(self.report, self._measured_as))

    @property
    def machine(self) -> tuple[tuple[str, Any], ...]:
        """What latencies depend on."""
        return tuple((name, self.report.environment.get(name)) for name in MACHINE)

    @property
    def runtimes(self) -> tuple[tuple[str, Any], ...]:
        """Versions of the libraries that answer."""
        libraries = self.report.environment.get("libraries")
        known = libraries if isinstance(libraries, dict) else {}
        return tuple((name, known.get(name)) for name in RUNTIMES)

    @cached_property
    def making_seconds(self) -> float:
        """From the data to this model, each stage as long as it took when it was made."""
        made = ancestors_of(self.report, self.stage)
        return sum(one.made_in_seconds if one.made_in_seconds is not None else one.seconds for one in made)

    @property
    def _measured_as(self) -> StageEntry:
        """The stage whose rows measured it: an adapter's own delta, else the stage itself."""
        against = next((one.against for one in self.stage.comparisons if one.part == self.part and self.part), None)
        return stage_named(self.report, against) or self.stage


def measured_stages(report: Report) -> list[StageEntry]:
    """Those that made a model, in the order of the pipeline."""
    return [stage for stage in report.stages if stage.measures is not None]


def chosen_stage(report: Report, name: str | None) -> StageEntry | None:
    """The stage called `name`, or the last model; None when there is no such model."""
    stage = final_model(report) if name is None else stage_named(report, name)
    return stage if stage is not None and stage.measures is not None else None


def sides_of(report: Report, stage: StageEntry, *, label: str, where: str) -> list[Side]:
    """The stage's model, and below it the adapters of a set, each on its own rows."""
    assert stage.measures is not None
    whole = Side(label, where, report, stage, stage.measures)
    parts = stage.measures.parts.items()
    return [whole, *(Side(f"{label} · {name}", where, report, stage, one, part=name) for name, one in parts)]


def _data_stages(report: Report, stage: StageEntry) -> list[StageEntry]:
    """The data set that its `measure` names, or the labelled ones that it goes back to."""
    measure = stage.configuration.get("measure")
    named = measure.get("data") if isinstance(measure, dict) else None
    if isinstance(named, str) and (found := stage_named(report, named)) is not None:
        return [found]
    made = [one for one in ancestors_of(report, stage) if one.artifact is not None and one.artifact.kind == "Dataset"]
    return [one for one in made if one.details.get("labelled", True)]
