"""What became of one stage in this run: mutable while the run goes on, turned into a report entry at its end."""

from dataclasses import dataclass, field
from typing import Any

from compress.chain.artifacts import AdapterSet, Artifact, Model, Sensitivity
from compress.chain.gates import Verdict
from compress.chain.step import Step, edges
from compress.chain.stored import Stored
from compress.reporting.schema import (
    ArtifactEntry,
    ComparisonEntry,
    CurvePoint,
    MeasuresEntry,
    StageEntry,
    Status,
    VerdictEntry,
)


@dataclass
class Outcome:
    """One stage of the run."""

    step: Step
    status: Status = "skipped"
    seconds: float = 0.0
    key: str = ""
    stored: Stored | None = None
    artifact: Artifact | None = None
    measures: MeasuresEntry | None = None
    comparisons: list[ComparisonEntry] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    error: str | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def failed_gate(self) -> bool:
        """Whether a limit was broken."""
        return any(verdict.verdict == "fail" for verdict in self.verdicts)

    def entry(self) -> StageEntry:
        """The stage as the report shows it."""
        details = self.artifact.manifest.details if self.artifact is not None else {}
        return StageEntry(
            name=self.step.name,
            step=self.step.step,
            status=self.status,
            seconds=round(self.seconds, 3),
            key=self.key,
            artifact=self._artifact_entry(),
            measures=self.measures,
            comparisons=self.comparisons,
            verdicts=[VerdictEntry(**vars(verdict)) for verdict in self.verdicts],
            error=self.error,
            inputs=list(dict.fromkeys(edge.stage for edge in edges(self.step).values())),
            made_in_seconds=self.stored.seconds if self.stored else None,
            warnings=self.warnings,
            curve=[CurvePoint(**point) for point in details.get("training", {}).get("curve", [])],
            details=_facts(self.artifact),
            configuration=self.step.model_dump(mode="json", exclude_unset=True, exclude={"name", "step"}),
        )

    def _artifact_entry(self) -> ArtifactEntry | None:
        if self.artifact is None or self.stored is None:
            return None
        return ArtifactEntry(
            kind=self.artifact.kind,
            path=str(self.artifact.path),
            digest=self.artifact.digest,
            size_mb=float(self.stored.record["size_mb"]),
        )


def _facts(artifact: Artifact | None) -> dict[str, Any]:
    """What the step found, without the curve, which the report shows apart."""
    if artifact is None:
        return {}
    if isinstance(artifact, (Model, AdapterSet)):
        found = dict(artifact.manifest.details)
        training = {name: value for name, value in found.pop("training", {}).items() if name != "curve"}
        return {**found, "training": training} if training else found
    if isinstance(artifact, Sensitivity):
        return artifact.report.model_dump(mode="json")
    return artifact.manifest.model_dump(mode="json", exclude={"kind"})
