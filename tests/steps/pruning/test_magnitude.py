"""The method as a stage: what YAML may say and what comes out."""

from typing import Any

import pytest
from pydantic import ValidationError

from compress.chain.manifest import ModelManifest
from compress.errors import ModelError, TrainingError
from compress.models.load import load_checkpoint
from compress.steps.distill import Distill
from compress.steps.finetune import Finetune
from compress.steps.prune import Prune
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder

SHORT = {"steps": 20, "precision": "fp32"}


def step(**method: Any) -> Prune:
    method = {"kind": "magnitude", "training": SHORT, **method}
    return Prune.model_validate({"name": "pruned", "step": "prune", "model": "teacher", "method": method})


def run(tmp_path, labelled=True, **method):
    data = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "data", labelled=labelled))
    teacher = tiny_artifact("Checkpoint", tiny_checkpoint(tmp_path / "teacher"))
    made = step(**method).run(TinyWorkspace(tmp_path / "out", {"data": data, "teacher": teacher}))
    return load_checkpoint(made.path), ModelManifest.read(made.path).details


def test_zeros_are_in_the_checkpoint_and_counted(tmp_path):
    model, details = run(tmp_path, sparsity=0.75, frequency=2, until=0.5)
    query = model.get_submodule("bert.encoder.layer.0.attention.self.query").weight
    assert float((query == 0).float().mean()) == 0.75
    assert (details["raised_every"], details["final_from_step"]) == (2, 10)
    assert details["training"]["best_step"] >= 10
    assert "no faster" in details["note"]


def test_embeddings_and_head_only_when_asked(tmp_path):
    model, details = run(tmp_path, pattern="2:4", embeddings=True, head=True)
    assert details["sparsity"] == pytest.approx(0.5, abs=2e-3)  # the padding row was zero before
    for matrix in (model.get_input_embeddings().weight, model.get_submodule("classifier").weight):
        assert ((matrix != 0).view(-1, 4).sum(dim=1) <= 2).all()


def test_a_pattern_that_does_not_divide_is_said_before_training(tmp_path):
    with pytest.raises(ModelError, match=r"pattern 2:5: bert\.encoder\.layer\.0.* has 32 inputs, which 5 does not"):
        run(tmp_path, pattern="2:5")


def test_unlabelled_data_cannot_be_trained_on(tmp_path):
    with pytest.raises(TrainingError, match="no labels"):
        run(tmp_path, labelled=False, sparsity=0.5)


@pytest.mark.parametrize(
    ("method", "message"),
    [({}, "needs exactly one of `sparsity`, `pattern`; found none"), ({"sparsity": 1.0}, "less than 1"),
     ({"sparsity": 0.5, "pattern": "2:4"}, "found sparsity and pattern"), ({"pattern": "4:4"}, "N < M"),
     ({"pattern": "many"}, "should match pattern")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_work(method, message):
    with pytest.raises(ValidationError, match=message):
        step(**method)


def test_training_on_says_that_the_sparsity_is_lost(tmp_path):
    run(tmp_path, sparsity=0.6)
    said = "matrices that train are 60% zeros"
    artifacts = {
        "data": tiny_artifact("Dataset", tmp_path / "data"),
        "teacher": tiny_artifact("Checkpoint", tmp_path / "teacher"),
        "sparse": tiny_artifact("Checkpoint", tmp_path / "out"),
    }
    common = {"name": "on", "data": "data", "training": SHORT}
    distill = {**common, "step": "distill", "teacher": "teacher"}
    stages = {
        "stage": Distill.model_validate({**distill, "student": {"stage": "sparse"}}),
        "layers": Distill.model_validate({**distill, "teacher": "sparse", "student": {"layers": 1}}),
        "dense": Distill.model_validate({**distill, "student": {"layers": 1}}),
        "tuned": Finetune.model_validate(
            {**common, "step": "finetune", "base": str(tmp_path / "out"), "max_length": 32}
        ),
        "head": Finetune.model_validate(
            {
                **common,
                "step": "finetune",
                "base": str(tmp_path / "out"),
                "max_length": 32,
                "strategy": {"kind": "head_only"},
            }
        ),
    }
    warned = {}
    for name, stage in stages.items():
        workspace = TinyWorkspace(tmp_path / name, artifacts)
        stage.run(workspace)
        warned[name] = any(said in one for one in workspace.progress.warnings)
    assert warned == {"stage": True, "layers": True, "dense": False, "tuned": True, "head": False}
