"""A set that is timed: its rows use the adapters in turn."""

import numpy as np
import pytest

from compress.benchmarking.mixed_adapters import MixedAdapters, open_mixed
from compress.benchmarking.size import model_size_mb
from compress.benchmarking.variants import Variant
from compress.errors import AdapterError
from tests.adapters.hand_made import tiny_set


class Seen:
    """Remembers the slots that it was asked for."""

    def __init__(self):
        self.slots = []

    def predict(self, batch, adapter_index, tables):
        self.slots.append(adapter_index.tolist())
        return np.zeros((len(adapter_index), 2), dtype=np.float32)


def test_rows_and_calls_go_round_all_adapters():
    session = Seen()
    mixed = MixedAdapters(session, None, adapters=3)
    for rows in (2, 5, 1, 1):
        batch = {"input_ids": np.zeros((rows, 4), dtype=np.int64)}
        assert mixed.predict(batch)["logits"].shape == (rows, 2)
    assert session.slots == [[1, 2], [3, 1, 2, 3, 1], [2], [3]]
    assert all(slots.dtype == np.int64 for slots in map(np.asarray, session.slots))


def test_a_set_is_told_from_a_model_and_counts_every_file(tmp_path):
    folder = tiny_set(tmp_path / "set")
    variant = Variant("set", folder, "onnxruntime")
    assert variant.is_set
    assert variant.model_folder == folder / "base"
    (folder / "base/model.onnx").write_bytes(b"x" * 1000)
    (folder / "adapters/news/1").mkdir(parents=True)
    (folder / "adapters/news/1/adapter_model.safetensors").write_bytes(b"x" * 500)
    (folder / "MODEL_CARD.md").write_bytes(b"x" * 9000)
    described = (folder / "adapter_set.json").stat().st_size
    assert model_size_mb(folder) * 1e6 == 1500 + described


def test_a_set_without_adapters_says_what_to_do(tmp_path):
    with pytest.raises(AdapterError, match="has no adapters to time: add one with `compress adapters add`"):
        open_mixed(tiny_set(tmp_path / "set"), threads=1)
