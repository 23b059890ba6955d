import numpy as np
import onnxruntime
import pytest

from compress.adapters.packing import MASKED
from compress.adapters.peft_folder import read_delta
from compress.errors import AdapterError, ExportError
from compress.exporting.adapters.onnx_adapter import write_onnx_adapter
from compress.exporting.adapters.ort_lora import ORT_LORA, WEIGHTS, make_ort_lora
from compress.inference.adapter_predictor import open_adapter_session
from tests.exporting.adapters.sets import INT8, TEXTS, tiny_adapters, tiny_set
from tests.tiny import tiny_onnx


@pytest.mark.parametrize("scheme", [None, INT8], ids=["float", "int8"])
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_onnxruntimes_own_adapters_answer_as_the_tables_do(tmp_path, family, scheme):
    made = tiny_set(tmp_path, family, lean=True, everything=True, scheme=scheme)
    make_ort_lora(made.folder / "base")
    session, batch = opened(made.folder / "base" / ORT_LORA), made.encoder.encode(TEXTS)
    for slot, folder in enumerate(tiny_adapters(family, everything=True).folders, start=1):
        file = tmp_path / f"{slot}.onnx_adapter"
        write_onnx_adapter(read_delta(folder), made.set_file, file)
        wanted = made.slot(slot).predict(batch)["logits"]
        answered = run(session, batch, file)
        assert np.abs(answered[:, : wanted.shape[1]] - wanted).max() < 1e-5
        assert (answered[:, wanted.shape[1] :] == np.float32(MASKED)).all()


def test_without_an_active_adapter_the_answer_is_not_a_number(tmp_path):
    made = tiny_set(tmp_path)
    make_ort_lora(made.folder / "base")
    assert np.isnan(run(opened(made.folder / "base" / ORT_LORA), made.encoder.encode(TEXTS), None)).all()


def test_both_graphs_read_one_file_of_weights_and_the_tables_answer_as_before(tmp_path):
    made = tiny_set(tmp_path, lean=True)
    base, index = made.folder / "base", np.ones(len(TEXTS), dtype=np.int64)
    before, batch = (base / "model.onnx").stat().st_size, made.encoder.encode(TEXTS)
    wanted = made.session.predict(batch, index, made.tables)
    make_ort_lora(base)
    make_ort_lora(base)  # again, from what is outside already
    assert {path.name for path in base.iterdir()} == {"model.onnx", ORT_LORA, WEIGHTS}
    assert (base / WEIGHTS).stat().st_size > before / 2 > (base / "model.onnx").stat().st_size
    answered = open_adapter_session(made.folder, threads=1).predict(batch, index, made.tables)
    np.testing.assert_array_equal(answered, wanted)


def test_a_graph_that_is_not_of_a_set_is_refused(tmp_path):
    with pytest.raises(ExportError, match="takes no adapter_index: it is not the graph of an adapter set"):
        make_ort_lora(tiny_onnx(tmp_path))


def test_a_delta_that_does_not_fit_the_set_is_refused_and_nothing_is_left(tmp_path):
    made = tiny_set(tmp_path / "set")
    with pytest.raises(AdapterError, match="where this set takes no adapters"):
        write_onnx_adapter(
            read_delta(tiny_adapters("bert", everything=True).folders[0]), made.set_file, tmp_path / "1.onnx_adapter"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def opened(file):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of every initializer that may be overridden
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run(session, batch, file):
    options = onnxruntime.RunOptions()
    if file is not None:
        adapter = onnxruntime.LoraAdapter()
        adapter.Load(str(file))
        options.add_active_adapter(adapter)
    taken = {value.name for value in session.get_inputs()}
    return session.run(None, {name: array for name, array in batch.items() if name in taken}, options)[0]
