import json

import pytest

from compress.benchmarking import workers
from compress.errors import ConfigurationError, ModelError
from compress.pipeline.bench import bench, short_names, variant_of
from compress.progress import Silent
from tests.benchmarking.onnx_folder import onnx_folder
from tests.pipeline.test_bases import delta_folder


def test_models_are_measured_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "TURN_SECONDS", 0.03)
    folders = [onnx_folder(tmp_path / "fp32"), onnx_folder(tmp_path / "int8", kind="OnnxModel")]
    table = bench(folders, shapes=[(1, 8)], threads=1, rounds=3, texts=["the bank won"], progress=Silent())
    first, second = table.entries
    assert (first.name, first.kind, first.ratios) == ("fp32", "ONNX", None)
    assert (second.name, second.kind) == ("int8", "OnnxModel")
    assert second.ratios[0].interval[0] <= second.ratios[0].value <= second.ratios[0].interval[1]
    assert table.header() == ("model", "kind", "runtime", "1x8 ms", "size MB")
    assert [len(row) for row in table.rows()] == [5, 5]
    said = json.loads(json.dumps(table.to_json()))
    assert said["entries"][1]["latency"][0]["p50_ms"] > 0
    assert set(said["entries"][1]["ratios"][0]) == {"value", "interval"}


def test_names_are_the_shortest_ends_that_differ(tmp_path):
    folders = [tmp_path / "a" / "model", tmp_path / "b" / "model"]
    assert short_names(folders) == ["a/model", "b/model"]
    assert short_names([tmp_path / "x", tmp_path / "y"]) == ["x", "y"]


def test_the_same_folder_twice_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="each once"):
        short_names([tmp_path, tmp_path / "."])


def test_a_checkpoint_runs_on_torch(tmp_path):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    variant, kind = variant_of(tmp_path, "a")
    assert (variant.runtime, kind) == ("torch", "Hugging Face")


def test_a_graph_goes_before_weights(tmp_path):
    folder = onnx_folder(tmp_path / "both", kind="Bundle")
    (folder / "model.safetensors").touch()
    variant, kind = variant_of(folder, "a")
    assert (variant.runtime, kind) == ("onnxruntime", "Bundle")


def test_a_delta_runs_unmerged_on_the_base_that_its_manifest_names(tmp_path):
    base = onnx_folder(tmp_path / "base")
    variant, kind = variant_of(delta_folder(tmp_path / "delta", base), "a")
    assert (variant.runtime, variant.base_folder, kind) == ("torch", base, "LoraDelta")


def test_a_delta_whose_base_changed_is_refused(tmp_path):
    base = onnx_folder(tmp_path / "base")
    folder = delta_folder(tmp_path / "delta", base)
    (base / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"delta was trained on base .* by now: put the old one back"):
        variant_of(folder, "a")


def test_an_adapter_without_a_manifest_says_to_merge_it(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="merge it first"):
        variant_of(tmp_path, "a")


def test_all_folders_that_are_no_models_are_named_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    bare = onnx_folder(tmp_path / "bare")
    (bare / "tokenizer.json").unlink()
    folders = [tmp_path / "missing", tmp_path / "empty", bare]
    with pytest.raises(ConfigurationError) as caught:
        bench(folders, shapes=[(1, 8)], threads=1, rounds=3, texts=None, progress=Silent())
    missing, empty, no_tokenizer = caught.value.problems
    assert "missing is not a folder" in missing
    assert "empty is no model folder: it has no config.json and no tokenizer.json" in empty
    assert "bare is no model folder: it has no tokenizer.json" in no_tokenizer
