"""The base of a delta is found by its content, and never another one."""

from pathlib import Path

import pytest

from compress.chain.artifacts import Checkpoint, LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.errors import ModelError
from compress.pipeline.bases import Bases
from compress.pipeline.outputs import base_folder
from compress.steps.finetune_lora import FinetuneLora


def base_at(folder: Path, weights: str = "weights") -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_text(weights)
    return folder


def delta_folder(folder: Path, base: Path) -> Path:
    """What a delta that was trained on `base` says of it, without weights."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    ModelManifest(
        kind="LoraDelta", task="text-classification", labels=("a", "b"), max_length=8, dataset="0", base=str(base),
        base_digest=Digests().folder(base), parameters=1,
    ).write(folder)  # fmt: skip
    return folder


def delta_of(folder: Path, base: Path) -> LoraDelta:
    return LoraDelta(delta_folder(folder, base), "")


def naming(base: str, folder: Path) -> Bases:
    said = {"name": "delta", "step": "finetune_lora", "data": "news", "base": base}
    return Bases([FinetuneLora.model_validate(said, context={"folder": folder})])


def test_without_a_pipeline_the_base_is_where_the_delta_says(tmp_path: Path) -> None:
    base = base_at(tmp_path / "base")
    assert base_folder(delta_of(tmp_path / "delta", base)) == base


def test_a_base_that_moved_is_where_the_pipeline_says(tmp_path: Path) -> None:
    delta = delta_of(tmp_path / "delta", base_at(tmp_path / "base"))
    (tmp_path / "base").rename(tmp_path / "moved")
    assert base_folder(delta, naming("moved", tmp_path)) == tmp_path / "moved"


def test_a_base_of_other_content_at_the_old_place_is_passed_over(tmp_path: Path) -> None:
    delta = delta_of(tmp_path / "delta", base_at(tmp_path / "base"))
    (tmp_path / "base").rename(tmp_path / "moved")
    base_at(tmp_path / "base", "others")
    assert base_folder(delta, naming("moved", tmp_path)) == tmp_path / "moved"
    with pytest.raises(ModelError, match=r"the delta .* was trained on base .* by now: put the old one back"):
        base_folder(delta)


def test_another_base_that_the_pipeline_names_is_passed_over(tmp_path: Path) -> None:
    base = base_at(tmp_path / "base")
    base_at(tmp_path / "other", "others")
    assert base_folder(delta_of(tmp_path / "delta", base), naming("other", tmp_path)) == base


def test_a_base_that_is_nowhere_is_said(tmp_path: Path) -> None:
    delta = delta_of(tmp_path / "delta", base_at(tmp_path / "base"))
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(ModelError, match=r"the delta .*/delta was trained on base .*/base' is gone: put it back"):
        base_folder(delta, naming("nowhere", tmp_path))


def test_the_hub_is_not_asked_for_a_base_that_lies_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delta = delta_of(tmp_path / "delta", base_at(tmp_path / "base"))
    delta.manifest.model_copy(update={"base": "hub:org/name"}).write(delta.path)
    monkeypatch.setattr("compress.chain.outside.hub_folder", pytest.fail)
    assert base_folder(LoraDelta(delta.path, ""), naming("base", tmp_path)) == tmp_path / "base"


def test_other_models_have_no_base_folder(tmp_path: Path) -> None:
    assert base_folder(Checkpoint(tmp_path, "")) is None
