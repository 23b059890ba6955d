"""A set's adapters as ONNX Runtime's own LoraAdapter runs them."""

import numpy as np
import pytest

from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import AdapterError, ModelError
from compress.exporting.adapters import ort_lora
from compress.inference.ort_lora_predictor import ONNX_ADAPTER, ORT_LORA, open_ort_lora
from compress.steps.adapters.ort_lora import onnx_adapters_of
from tests.exporting.adapters.sets import TEXTS, TinySet, tiny_adapters, tiny_set


@pytest.fixture
def made(tmp_path) -> TinySet:
    """A set with the graph of onnxruntime's own adapters, and with its adapters in it."""
    made = tiny_set(tmp_path / "set")
    ort_lora.make_ort_lora(made.folder / "base")
    made.set_file.write(made.folder)
    folder, derive = AdapterSetFolder(made.folder), onnx_adapters_of(made.folder)
    for number, delta in enumerate(tiny_adapters("bert", everything=False).folders, start=1):
        folder.add(f"adapter{number}", delta, derive=derive)
    return made


def test_it_answers_as_the_tables_do(made):
    batch = made.encoder.encode(TEXTS)
    for slot, labels in enumerate(made.labels, start=1):
        answered = open_ort_lora(made.folder, f"adapter{slot}", threads=1).predict(batch)["logits"]
        assert answered.shape == (len(TEXTS), labels)
        assert np.abs(answered - made.slot(slot).predict(batch)["logits"]).max() < 1e-5


def test_what_is_missing_is_said(made, tmp_path):
    with pytest.raises(AdapterError, match="the set has no adapter 'news'"):
        open_ort_lora(made.folder, "news", threads=1)
    (made.folder / "adapters/adapter1/1" / ONNX_ADAPTER).unlink()
    with pytest.raises(ModelError, match="Make the set with `ort_lora: true`, or add the adapter again"):
        open_ort_lora(made.folder, "adapter1", threads=1)
    (made.folder / "base" / ORT_LORA).unlink()
    with pytest.raises(ModelError, match=f"{ORT_LORA} does not exist"):
        open_ort_lora(made.folder, "adapter2", threads=1)


def test_the_file_is_called_as_who_writes_it_calls_it():
    assert ORT_LORA == ort_lora.ORT_LORA
