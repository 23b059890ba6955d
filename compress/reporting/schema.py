"""`report.json`: a stable contract, relied on from outside; fields are only ever added.

Knows no store and no runner: plain values in, JSON out.
"""

from typing import Any, Literal

from pydantic import Field

from compress.frozen import Frozen

SCHEMA_VERSION = 1

Status = Literal["ran", "reused", "failed", "skipped"]
Interval = tuple[float, float]


class ArtifactEntry(Frozen):
    """What a stage made."""

    kind: str
    path: str
    """Absolute; holds config.json and model.onnx."""
    digest: str
    size_mb: float


class FigureEntry(Frozen):
    """A number with its 95% interval, where it has one."""

    value: float
    interval: Interval | None = None


class LatencyEntry(Frozen):
    """One shape."""

    batch_size: int
    length: int
    threads: int
    runtime: str
    p50_ms: float
    p95_ms: float


class ReliabilityBin(Frozen):
    """One bin of the reliability diagram."""

    low: float
    high: float
    rows: int
    confidence: float | None
    """Mean predicted probability; None when empty."""
    accuracy: float | None
    """Share of right answers; None when empty."""


class MeasuresEntry(Frozen):
    """Figures about one model."""

    primary: str
    """The task's main metric."""
    metrics: dict[str, FigureEntry]
    parameters: int
    size_mb: float
    latency: list[LatencyEntry] = Field(default_factory=list)
    parts: dict[str, "MeasuresEntry"] = Field(default_factory=dict)
    """Each adapter of a set on its own rows; the set itself then has size and latency only."""
    rows: int = 0
    """Rows that were read."""
    labels: list[str] = Field(default_factory=list)
    confusion: list[list[int]] | None = None
    """Rows: the true label; columns: the predicted one; in the order of `labels`."""
    reliability: list[ReliabilityBin] = Field(default_factory=list)


class ComparisonEntry(Frozen):
    """Figures about two models, paired on the same rows and taken in turns."""

    against: str
    part: str | None = None
    """The adapter of a set that is compared; None: the stage's model as a whole."""
    drops: dict[str, FigureEntry]
    p_value: float | None = None
    """McNemar's exact test; None where rows are not right or wrong."""
    ratios: dict[str, FigureEntry] = Field(default_factory=dict)
    agreement: FigureEntry | None = None
    """Share of rows on which both give the same answer."""
    latency_ratios: list[dict[str, Any]] = Field(default_factory=list)
    """One entry a shape: batch_size, length, value, interval."""


class VerdictEntry(Frozen):
    """What one gate decided."""

    gate: str
    against: str | None
    measured: float
    limit: float
    interval: Interval | None
    verdict: Literal["pass", "within_noise", "fail"]
    part: str | None = None
    """The adapter of a set that it is about; None: the stage's model as a whole."""


class CurvePoint(Frozen):
    """One evaluation or log while training."""

    step: int
    epoch: float
    loss: float | None = None
    validation: dict[str, float] = Field(default_factory=dict)


class StageEntry(Frozen):
    """One stage of the run."""

    name: str
    step: str
    status: Status
    seconds: float
    """This run; for a reused stage what it took when it ran is in `made_in_seconds`."""
    key: str
    artifact: ArtifactEntry | None = None
    measures: MeasuresEntry | None = None
    comparisons: list[ComparisonEntry] = Field(default_factory=list)
    verdicts: list[VerdictEntry] = Field(default_factory=list)
    error: str | None = None
    inputs: list[str] = Field(default_factory=list)
    """Stages that it reads."""
    made_in_seconds: float | None = None
    warnings: list[str] = Field(default_factory=list)
    curve: list[CurvePoint] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    """What the step found: counts, parity, class balance."""
    configuration: dict[str, Any] = Field(default_factory=dict)


class Report(Frozen):
    """One run."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    pipeline: str
    seed: int
    started: str
    """ISO 8601 with the offset."""
    seconds: float
    passed: bool
    """No verdict is `fail`, no stage failed."""
    stages: list[StageEntry]
    environment: dict[str, Any]
    warnings: list[str] = Field(default_factory=list)
    configuration: str = ""
    """The pipeline's YAML, as it was run."""
    reference: str | None = None
    """The stage that speed-ups and drops in the table refer to."""
    published: str | None = None
    """What was published: the bundle's folder, or, where there is no bundle, that of the adapter set."""
    published_set: str | None = None
    """The folder of the adapter set that was published."""

    def to_json(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
