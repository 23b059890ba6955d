"""A small distillation to try things on: a stage of four steps, a random teacher of four layers, tiny texts."""

from pathlib import Path
from typing import Any

from compress.chain.artifacts import Artifact
from compress.chain.manifest import ModelManifest
from compress.steps.distill import Distill
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder, tiny_labels

SHORT = {"steps": 4, "batch_size": 8, "precision": "fp32"}


def stage(**fields: Any) -> Distill:
    """A `distill` of the teacher's first and last layer; `fields` say what is different, None what is left out."""
    usual = {"teacher": "teacher", "data": "news", "student": {"layers": 2}, "training": SHORT}
    said = {name: value for name, value in {**usual, **fields}.items() if value is not None}
    return Distill.model_validate({"name": "student", "step": "distill", **said})


def workspace_of(
    tmp_path: Path, out: str = "out", *, task: Any = "text-classification", family: Any = "bert", **more: Artifact
) -> TinyWorkspace:
    """`news` and `teacher` in `tmp_path`, made when they are missing, and whatever else is given by stage name."""
    data = tmp_path / "news"
    if not data.exists():
        tiny_dataset_folder(data, 40, task=task)
        labels = ("value",) if task == "text-regression" else tiny_labels()
        tiny_checkpoint(tmp_path / "teacher", family, labels=labels, task=task, layers=4)
    artifacts = {
        "news": tiny_artifact("Dataset", data), "teacher": tiny_artifact("Checkpoint", tmp_path / "teacher"), **more,
    }  # fmt: skip
    return TinyWorkspace(tmp_path / out, artifacts)


def details_of(workspace: TinyWorkspace) -> dict[str, Any]:
    """What the made student's manifest says was found."""
    return ModelManifest.read(workspace.out).details
