"""`search.json`: a stable contract, relied on from outside; fields are only ever added.

Knows neither Optuna nor the runner: plain values in, JSON out. A figure is named `accuracy` when it is the last
model's and `int8.accuracy` when it is that of the stage `int8`; `accuracy_drop` and `latency_ms_ratio` compare with
the reference stage, on the same rows.
"""

from typing import Any, Literal

from pydantic import Field

from compress.frozen import Frozen

SCHEMA_VERSION = 1

Direction = Literal["maximize", "minimize"]
State = Literal["complete", "pruned", "failed", "running", "waiting"]
"""`pruned`: stopped early by a gate, a constraint or a poor report; `failed`: no valid configuration, or a stage failed
or was interrupted; `waiting`: all is made, and the worker that measures latencies has still to measure it."""


class FieldEntry(Frozen):
    """One field that is searched over: either `choices`, or `low` to `high`."""

    name: str
    """As `--set` writes it: `student.student.layers`."""
    choices: list[Any] | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    written: Any = None
    """The value that the pipeline file itself has there; None where it has none."""


class ObjectiveEntry(Frozen):
    """One figure that is sought."""

    name: str
    """The figure as in `TrialEntry.figures`: `accuracy`, or `int8.accuracy`."""
    direction: Direction


class TrialEntry(Frozen):
    """One set of values and what came of it."""

    number: int
    state: State
    fields: dict[str, Any]
    """The value of every field."""
    values: list[float] | None = None
    """In the order of `objectives`; None unless the trial is complete."""
    figures: dict[str, float] = Field(default_factory=dict)
    """All that was measured, on the validation rows, also of a trial that was stopped early."""
    feasible: bool = False
    """Complete, and no constraint is broken."""
    broken: list[str] = Field(default_factory=list)
    """The constraints that are broken, as they were written."""
    failed_gate: str | None = None
    """Stage and gate that stopped it: `int8: max_drop.accuracy measured 0.02, limit 0.016`."""
    reason: str | None = None
    """Why it was stopped or failed, in one sentence."""
    seconds: float = 0.0
    reused: list[str] = Field(default_factory=list)
    """Stages that were in the store already."""
    made: list[str] = Field(default_factory=list)
    """Stages that were made for this trial."""
    copied_from: int | None = None
    """An earlier trial with the same values, whose figures these are: nothing was run."""
    as_written: bool = False
    """The values are those of the pipeline file itself: what the search has to beat."""
    counted: bool = True
    """One of the trials that were asked for: no copy, and no failure that may not come again."""
    worker: str | None = None
    started: str | None = None
    """ISO 8601 with the offset."""
    warnings: dict[str, list[str]] = Field(default_factory=dict)
    """By stage, what was warned of while it was made and measured."""


class PickEntry(Frozen):
    """The trial that was chosen, and what it reaches on the test rows, which were read for it alone."""

    trial: int
    rule: str
    """How it was chosen: `accuracy_drop <= 0.01, min size_mb`."""
    split: str = "test"
    """The rows that it was measured on in the end: those that the file names."""
    figures: dict[str, float]
    """Measured on the test rows; named as in `TrialEntry.figures`."""
    passed: bool
    """Every gate holds on the test rows too."""
    reason: str | None = None
    """What did not, in one sentence."""
    run: str
    """The folder with its report and, if it passed, its bundle."""
    written: str | None = None
    """The pipeline file that reproduces it."""


class SearchReport(Frozen):
    """One study as far as it has come."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    pipeline: str
    study: str = ""
    """Its name in the storage; that of the pipeline unless another was asked for."""
    seed: int
    storage: str
    """Where the study is kept; without a password."""
    split: str = "validation"
    """The rows that trials are measured on."""
    wanted: int
    """Trials that the study is to have in all."""
    seconds: float
    """Of all trials together; workers add up."""
    fields: list[FieldEntry]
    objectives: list[ObjectiveEntry]
    constraints: list[str] = Field(default_factory=list)
    reference: str | None = None
    """The stage that drops and ratios refer to."""
    trials: list[TrialEntry] = Field(default_factory=list)
    front: list[int] = Field(default_factory=list)
    """Feasible trials that no other feasible one beats in every objective; the best in the first objective first."""
    importances: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By objective: the share of its variance that each field explains; empty while too few trials are complete."""
    pick: PickEntry | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    """Of the search, and of the stages that are the same in every trial; the others' stand with their trials."""
    configuration: str = ""
    """The pipeline's YAML with its `search` block."""

    def to_json(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def trial(self, number: int) -> TrialEntry:
        """The trial of that number; it must be there."""
        return next(trial for trial in self.trials if trial.number == number)
