"""A slot's tables give what the delta itself gives, and what does not fit is refused."""

import re

import numpy as np
import pytest

from compress.adapters.own_head import OWN_HEAD, read_zero, write_own_head
from compress.adapters.packing import MASKED, pack, zero_packed
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_file import OwnHead
from compress.adapters.tables import Tables
from compress.errors import AdapterError
from tests.adapters.hand_made import LABELS, QUERY, VALUE, WIDTH, tiny_delta, tiny_set, tiny_set_file, tiny_tensors


def test_products_of_the_tables_are_the_updates_of_the_delta(tmp_path):
    delta = read_delta(tiny_delta(tmp_path, rank=3))
    packed = pack(delta, tiny_set_file())
    x = np.random.default_rng(1).standard_normal((7, WIDTH)).astype(np.float32)
    added = x @ packed["lora_a.0"] @ packed["lora_b.0"]  # (7, 18)
    for module, columns in ((QUERY, slice(0, 6)), (VALUE, slice(12, 18))):
        update = delta.updates[module]
        np.testing.assert_allclose(added[:, columns], x @ (update.scale * update.b @ update.a).T, rtol=1e-5, atol=1e-5)
    assert not added[:, 6:12].any(), "nothing is added to the keys between"


def test_a_head_of_fewer_labels_is_masked(tmp_path):
    delta = read_delta(tiny_delta(tmp_path))
    packed = pack(delta, tiny_set_file())
    last = delta.head["classifier.out_proj"]
    assert packed.keys() == tiny_set_file().shapes().keys()
    np.testing.assert_array_equal(packed["head_weight.0"], delta.head["classifier.dense"].weight.T)
    np.testing.assert_array_equal(packed["head_weight.1"][:, :3], last.weight.T)
    np.testing.assert_array_equal(packed["head_bias.1"], [*last.bias, np.float32(MASKED), np.float32(MASKED)])
    assert not packed["head_weight.1"][:, 3:].any()


def test_a_delta_may_change_fewer_layers_than_the_set_takes(tmp_path):
    tensors = {name: values for name, values in tiny_tensors().items() if VALUE not in name}
    packed = pack(read_delta(tiny_delta(tmp_path, tensors=tensors)), tiny_set_file())
    assert packed["lora_a.0"][:, :2].all()
    assert not packed["lora_a.0"][:, 2:].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 5}, "bert.layer.0.query: the adapter has rank 5, this set takes up to 4: build the set again with"),
        ({"labels": tuple("abcdef")}, "labels: the adapter has 6, this set takes up to 5"),
        ({"manifest": {"max_length": 33}}, "max_length: the adapter has 33, this set takes up to 32"),
        (
            {"manifest": {"base_digest": "e" * 64}},
            "was trained on base eeeeeeeeeeee…, this set holds tiny base (dddddd",
        ),
        ({"manifest": {"labels": ["a", "b"]}}, "classifier.out_proj: the adapter's has 6 inputs and 3 outputs, needed"),
    ],
)
def test_what_does_not_fit_the_set_is_refused(tmp_path, changes, message):
    delta = read_delta(tiny_delta(tmp_path, **changes))
    with pytest.raises(AdapterError, match=re.escape(message)):
        pack(delta, tiny_set_file())


def test_layers_that_the_set_does_not_have_are_refused(tmp_path):
    tensors = {name.replace("layer.0.value", "layer.7.value"): values for name, values in tiny_tensors().items()}
    delta = read_delta(tiny_delta(tmp_path, tensors=tensors))
    with pytest.raises(AdapterError, match=r"changes bert\.layer\.7\.value, where this set takes no adapters"):
        pack(delta, tiny_set_file())


def test_layers_of_another_width_are_refused(tmp_path):
    tensors = tiny_tensors()
    tensors[f"base_model.model.{VALUE}.lora_A.weight"] = np.ones((2, 5), np.float32)
    with pytest.raises(AdapterError, match="a layer of 5 inputs and 6 outputs, the set's has 6 and 6"):
        pack(read_delta(tiny_delta(tmp_path, tensors=tensors)), tiny_set_file())


def test_another_head_is_refused(tmp_path):
    tensors = {name: values for name, values in tiny_tensors().items() if ".dense." not in name}
    with pytest.raises(AdapterError, match=r"its own classifier.out_proj, this set's head is classifier.dense, class"):
        pack(read_delta(tiny_delta(tmp_path / "one", tensors=tensors)), tiny_set_file())
    none = {name: values for name, values in tensors.items() if "classifier" not in name}
    with pytest.raises(AdapterError, match="its own no head, this set's head is"):
        pack(read_delta(tiny_delta(tmp_path / "none", tensors=none)), tiny_set_file())


def test_a_scale_that_overflows_is_refused(tmp_path):
    tensors = tiny_tensors()
    tensors[f"base_model.model.{VALUE}.lora_B.weight"][0, 0] = 1e38
    delta = read_delta(tiny_delta(tmp_path, tensors=tensors))
    with pytest.raises(AdapterError, match=r"bert.layer.0.value: times 4, the adapter's update is infinite"):
        pack(delta, tiny_set_file())


def test_tables_hold_a_slot_an_adapter_and_slot_0_stays_the_base(tmp_path):
    packed = pack(read_delta(tiny_delta(tmp_path)), tiny_set_file())
    tables = Tables(tiny_set_file(), 3)
    before = {name: array.ctypes.data for name, array in tables.arrays.items()}
    tables.write(2, packed)
    for name, array in tables.arrays.items():
        assert array.shape == (3, *packed[name].shape)
        np.testing.assert_array_equal(array[2], packed[name])
        assert not array[:2].any()
    tables.write(2, zero_packed(tiny_set_file()))
    assert not any(array.any() for array in tables.arrays.values()), "nothing is left of the one before"
    assert {name: array.ctypes.data for name, array in tables.arrays.items()} == before, "the runtime shares them"
    for slot in (0, 3, -1):
        with pytest.raises(AssertionError):
            tables.write(slot, packed)


def test_slot_0_holds_the_own_head_of_the_base(tmp_path):
    head = OwnHead(task="text-classification", labels=LABELS, max_length=32)
    folder, said = tiny_set(tmp_path / "set", own_head=head), tiny_set_file(own_head=head)
    delta = read_delta(tiny_delta(tmp_path / "delta"))
    write_own_head(folder, said, delta.head)
    tables = Tables(said, 2, zero=read_zero(folder, said))
    expected = pack(delta, said)
    for name, array in tables.arrays.items():
        wanted = expected[name] if name.startswith("head_") else np.zeros_like(expected[name])
        np.testing.assert_array_equal(array[0], wanted)


def test_an_own_head_that_is_missing_or_of_another_set_is_refused(tmp_path):
    head = OwnHead(task="text-classification", labels=LABELS, max_length=32)
    folder, said = tiny_set(tmp_path / "set", own_head=head), tiny_set_file(own_head=head)
    with pytest.raises(AdapterError, match=re.escape(f"has no {OWN_HEAD}, and its base has a head")):
        read_zero(folder, said)
    write_own_head(folder, said, read_delta(tiny_delta(tmp_path / "delta")).head)
    with pytest.raises(AdapterError, match="does not fit the set"):
        read_zero(folder, tiny_set_file(own_head=head, max_labels=4))


@pytest.mark.parametrize("max_rank", [8, 16, 20])
def test_wide_tables_in_blocks_give_the_same_updates(tmp_path, max_rank):
    delta, set_file = read_delta(tiny_delta(tmp_path, rank=7)), tiny_set_file(max_rank=max_rank)
    packed = pack(delta, set_file)
    x = np.random.default_rng(1).standard_normal((3, WIDTH)).astype(np.float32)
    table = packed["lora_a.0"]
    blocks = [table] if table.ndim == 2 else list(table)
    added = np.concatenate([x @ block for block in blocks], axis=1) @ packed["lora_b.0"]
    for module, columns in ((QUERY, slice(0, 6)), (VALUE, slice(12, 18))):
        update = delta.updates[module]
        np.testing.assert_allclose(added[:, columns], x @ (update.scale * update.b @ update.a).T, rtol=1e-5, atol=1e-4)
