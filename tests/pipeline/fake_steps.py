"""Typed steps that do nothing: edges in lists, unions and nested models, every kind of field that real steps have."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compress.chain.artifacts import Bundle, Checkpoint, Dataset, LoraDelta, OnnxModel
from compress.chain.outside import LocalPath, ModelSource
from compress.chain.step import Input, Step, Workspace
from compress.frozen import Frozen
from compress.task import Task

Share = Annotated[float, Field(ge=0, lt=1)]


class CsvSource(Frozen):
    """A CSV file."""

    kind: Literal["csv"]
    train: LocalPath
    """Rows to train on."""
    text: str | tuple[str, str] = "text"
    label: str = "label"


class NewsSource(Frozen):
    """BBC News."""

    kind: Literal["bbc_news"]


class Split(Frozen):
    """Shares cut from train."""

    validation: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _leaves_rows(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("leaves no rows to train on: validation and test must add up to less than 1")
        return self


class LoadData(Step):
    """Rows with labels."""

    step: Literal["load_data"]
    source: Annotated[CsvSource | NewsSource, Field(discriminator="kind")]
    task: Task = "text-classification"
    split: Split = Field(default_factory=Split)

    def run(self, workspace: Workspace) -> Dataset:
        raise NotImplementedError


class Training(Frozen):
    """How it is trained."""

    epochs: int | None = Field(default=None, ge=1, le=1000)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    class_weights: bool = False


class FinetuneLora(Step):
    """Train a low-rank delta."""

    step: Literal["finetune_lora"]
    data: Input[Dataset]
    base: ModelSource
    rank: int = Field(default=16, ge=1, le=512)
    targets: Literal["auto"] | tuple[str, ...] = "auto"
    training: Training = Field(default_factory=Training)

    def run(self, workspace: Workspace) -> LoraDelta:
        raise NotImplementedError


class MergeLora(Step):
    """Add a delta to its base."""

    step: Literal["merge_lora"]
    delta: Input[LoraDelta]

    def run(self, workspace: Workspace) -> Checkpoint:
        raise NotImplementedError


class Logits(Frozen):
    """The teacher's answers."""

    kind: Literal["logits"]
    temperature: float = Field(default=2.0, gt=0, le=100)
    weight: float = Field(default=1.0, gt=0)


class HardLabels(Frozen):
    """The labels."""

    kind: Literal["hard_labels"]
    weight: float = Field(default=1.0, gt=0)


class FewerLayers(Frozen):
    """Layers of the teacher."""

    layers: int | tuple[int, ...]


class OtherBase(Frozen):
    """Any other model."""

    base: ModelSource


class OtherStage(Frozen):
    """An earlier checkpoint."""

    stage: Input[Checkpoint]


class Distill(Step):
    """Train a small student on the teacher's answers."""

    step: Literal["distill"]
    teacher: Input[Checkpoint]
    """Who is imitated."""
    data: Input[Dataset]
    student: FewerLayers | OtherBase | OtherStage
    temperature: float = Field(default=2.0, gt=0, le=100)
    objectives: Annotated[
        tuple[Annotated[Logits | HardLabels, Field(discriminator="kind")], ...], Field(min_length=1)
    ] = (Logits(kind="logits"),)
    unlabelled: tuple[Input[Dataset], ...] = ()
    training: Training = Field(default_factory=Training)

    def run(self, workspace: Workspace) -> Checkpoint:
        raise NotImplementedError


class ExportOnnx(Step):
    """As a graph."""

    step: Literal["export_onnx"]
    model: Input[Checkpoint]

    def run(self, workspace: Workspace) -> OnnxModel:
        raise NotImplementedError


class DynamicInt8(Frozen):
    """Eight bits."""

    kind: Literal["dynamic_int8"]
    per_channel: bool = True


class NoScheme(Frozen):
    """As it is."""

    kind: Literal["none"]


class Quantize(Step):
    """In eight bits."""

    step: Literal["quantize"]
    model: Input[OnnxModel]
    scheme: Annotated[DynamicInt8 | NoScheme, Field(discriminator="kind")]

    def run(self, workspace: Workspace) -> OnnxModel:
        raise NotImplementedError


class MakeBundle(Step):
    """For an edge box."""

    step: Literal["bundle"]
    model: Input[OnnxModel]

    def run(self, workspace: Workspace) -> Bundle:
        raise NotImplementedError


FakeStep = Annotated[
    LoadData | FinetuneLora | MergeLora | Distill | ExportOnnx | Quantize | MakeBundle, Field(discriminator="step")
]

GOOD = """\
name: bert_edge
seed: 17
measure: {split: test, shapes: [[1, 128], [1, 32], [8, 64]], threads: 2}
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: delta, step: finetune_lora, data: news, base: "package:numpy/linalg", rank: 16, training: {epochs: 2}}
  - {name: teacher, step: merge_lora, delta: delta}
  - name: student
    step: distill
    teacher: teacher
    data: news
    student: {layers: 3}
    temperature: 2.0
    objectives: [{kind: logits, temperature: 2.0, weight: 0.9}, {kind: hard_labels, weight: 0.1}]
    gates: {against: teacher, max_drop: {accuracy: 0.01}}
  - {name: onnx, step: export_onnx, model: student}
  - name: int8
    step: quantize
    model: onnx
    scheme: {kind: dynamic_int8}
    gates: {against: teacher, max_drop: {accuracy: 0.01}, max_ratio: {latency_ms: 0.22}, max: {size_mb: 19}}
  - {name: edge, step: bundle, model: int8}
"""
