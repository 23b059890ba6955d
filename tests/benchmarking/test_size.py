import pytest

from compress.benchmarking.size import model_size_mb
from compress.errors import MeasurementError


def folder_of(folder, sizes):
    folder.mkdir()
    for name, size in sizes.items():
        (folder / name).write_bytes(b"x" * size * 1000)
    return folder


RUNNING = {"config.json": 2, "tokenizer.json": 30}
BESIDES = {"manifest.json": 500, "MODEL_CARD.md": 500, "training.log": 500, "optimizer.pt": 500, "vocab.txt": 500}


def test_a_checkpoint_is_its_weights_config_structure_and_tokenizer(tmp_path):
    folder = folder_of(tmp_path / "a", {**RUNNING, **BESIDES, "model.safetensors": 900, "structure.json": 1})
    assert model_size_mb(folder) == pytest.approx(0.933)


def test_an_onnx_model_counts_its_external_data_and_no_other_weights(tmp_path):
    files = {**RUNNING, "model.onnx": 10, "model.onnx.data": 400, "model.safetensors": 900}
    assert model_size_mb(folder_of(tmp_path / "a", files)) == pytest.approx(0.442)


def test_an_unmerged_delta_counts_its_base_but_one_tokenizer(tmp_path):
    base = folder_of(tmp_path / "base", {**RUNNING, "model.safetensors": 900})
    delta = {"adapter_model.safetensors": 8, "adapter_config.json": 1, "tokenizer.json": 30}
    folder = folder_of(tmp_path / "delta", delta)
    assert model_size_mb(folder, base_folder=base) == pytest.approx(0.941)


def test_shards_count_and_a_second_format_does_not(tmp_path):
    shards = {f"model-0000{n}-of-00002.safetensors": 300 for n in (1, 2)}
    folder = folder_of(tmp_path / "a", {**RUNNING, **shards, "pytorch_model.bin": 600})
    assert model_size_mb(folder) == pytest.approx(0.632)


def test_a_slow_tokenizers_vocabulary_counts_when_it_is_all_there_is(tmp_path):
    folder = folder_of(tmp_path / "a", {"config.json": 2, "model.safetensors": 9, "vocab.json": 5, "merges.txt": 3})
    assert model_size_mb(folder) == pytest.approx(0.019)


def test_a_folder_without_weights_has_no_size(tmp_path):
    with pytest.raises(MeasurementError, match=r"holds no model: it needs model\.onnx"):
        model_size_mb(folder_of(tmp_path / "a", RUNNING))
