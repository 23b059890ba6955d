import subprocess
import sys

import numpy as np
import pytest

from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.errors import AdapterError, ModelError
from compress.inference.adapter_predictor import AdapterSession, open_adapter, open_adapter_session
from compress.inference.onnx_predictor import open_session
from tests.exporting.adapters.sets import INT8, TEXTS, tiny_adapters, tiny_set
from tests.tiny import tiny_onnx


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("set"), lean=True, scheme=INT8)


def test_what_is_written_into_a_slot_is_live_at_the_next_call(made):
    tables, batch, index = Tables(made.set_file, 3), made.encoder.encode(TEXTS), np.full(len(TEXTS), 2)
    wanted = {slot: made.session.predict(batch, np.full(len(TEXTS), slot), made.tables) for slot in (0, 1, 3)}
    np.testing.assert_array_equal(made.session.predict(batch, index, tables), wanted[0])
    for slot in (3, 1):
        tables.write(2, {name: array[slot] for name, array in made.tables.arrays.items()})
        np.testing.assert_array_equal(made.session.predict(batch, index, tables), wanted[slot])


def test_tables_may_change_from_call_to_call(made):
    batch, index = made.encoder.encode(TEXTS), np.ones(len(TEXTS), dtype=np.int64)
    wanted = made.session.predict(batch, index, made.tables)
    empty = Tables(made.set_file, 2)
    assert np.abs(made.session.predict(batch, index, empty) - wanted).max() > 0.1
    np.testing.assert_array_equal(made.session.predict(batch, index, made.tables), wanted)


def test_an_adapter_of_the_set_answers_by_itself(made):
    adapters = AdapterSetFolder(_described(made))
    folders = tiny_adapters("bert", everything=False).folders
    for folder in folders[:2]:
        adapters.add("news", folder)
    batch = made.encoder.encode(TEXTS)
    for version, slot in ((None, 2), (1, 1)):
        answered = open_adapter(made.folder, "news", version, threads=1).predict(batch)["logits"]
        np.testing.assert_array_equal(answered, made.slot(slot).predict(batch)["logits"])


def test_an_adapter_that_is_not_there_is_refused(made):
    with pytest.raises(AdapterError, match="the set has no adapter 'sports'"):
        open_adapter(_described(made), "sports", threads=1)


def test_a_text_of_one_token_answers_the_same_alone_and_beside_others(made):
    batch = made.encoder.padded([made.encoder.tokens([text])[0] for text in TEXTS])
    batch["input_ids"][0, 1:], batch["attention_mask"][0, 1:] = made.encoder.pad_id, 0
    index = np.ones(len(TEXTS), dtype=np.int64)
    alone = {name: array[:1, :1] for name, array in batch.items()}
    np.testing.assert_array_equal(
        made.session.predict(alone, index[:1], made.tables)[0], made.session.predict(batch, index, made.tables)[0]
    )


def test_a_slot_that_is_not_there_is_an_error(made):
    with pytest.raises(ModelError, match=r"cannot answer 11 x 32 tokens.*\n?.*indices"):
        made.session.predict(made.encoder.encode(TEXTS), np.full(len(TEXTS), 6), made.tables)


def test_tables_of_another_set_are_an_error(made, tmp_path):
    other = Tables(made.set_file.model_copy(update={"groups": made.set_file.groups[:1]}), 2)
    with pytest.raises(ModelError, match=r"the tables have no lora_a\.1, which the graph takes: they are of another"):
        made.session.predict(made.encoder.encode(TEXTS), np.zeros(len(TEXTS), dtype=np.int64), other)
    wider = Tables(made.set_file.model_copy(update={"max_labels": 7}), 2)
    with pytest.raises(ModelError, match="cannot answer"):
        made.session.predict(made.encoder.encode(TEXTS), np.zeros(len(TEXTS), dtype=np.int64), wider)


def test_a_plain_graph_is_no_set(tmp_path):
    with pytest.raises(ModelError, match="takes no adapter_index: it is not the base of an adapter set"):
        AdapterSession(open_session(tiny_onnx(tmp_path) / "model.onnx", threads=1))
    with pytest.raises(ModelError, match=r"model\.onnx does not exist"):
        open_adapter_session(tmp_path, threads=1)


def test_it_needs_neither_torch_nor_onnx():
    unwanted = "{'torch', 'onnx', 'transformers', 'peft'}"
    code = f"import sys, compress.inference.adapter_predictor; assert not {unwanted} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)


def _described(made):
    made.set_file.write(made.folder)
    return made.folder
