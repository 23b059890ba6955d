"""Binary tensors against tritonclient's own reading and writing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from compress.serving.binary_tensors import (
    TensorError,
    flat_integers,
    flat_strings,
    read_integers,
    read_strings,
    split,
    take,
    write_floats,
    write_strings,
)

TEXTS = st.lists(st.text(st.characters(codec="utf-8")), max_size=8)


@given(TEXTS)
def test_what_tritonclient_writes_is_read(texts):
    raw = serialize_byte_tensor(np.array([text.encode() for text in texts], dtype=object))
    assert read_strings(memoryview(raw.item() if raw.size else b""), len(texts)) == texts


@given(TEXTS)
def test_what_is_written_tritonclient_reads(texts):
    assert [each.decode() for each in deserialize_bytes_tensor(write_strings(texts))] == texts


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_round_trip(numbers):
    raw = np.array(numbers, dtype=np.int64).tobytes()
    assert read_integers(memoryview(raw), len(numbers)).tolist() == numbers
    assert flat_integers(numbers, [len(numbers)]).tolist() == numbers


def test_floats_are_little_endian_rows_first():
    assert write_floats(np.array([[1.0, -2.0]]).T) == b"\x00\x00\x80?\x00\x00\x00\xc0"


@given(st.binary(max_size=64), st.integers(0, 2**40))
def test_any_bytes_are_read_or_refused(raw, count):
    try:
        texts = read_strings(memoryview(raw), count)
    except TensorError:
        return
    assert write_strings(texts) == raw


@pytest.mark.parametrize(
    ("raw", "count", "message"),
    [
        (b"\x05\x00\x00\x00abc", 1, "element 0 reaches beyond its end"),
        (b"\xff\xff\xff\xff", 1, "element 0 reaches beyond its end"),
        (b"\x01\x00", 1, "element 0 reaches beyond its end"),
        (b"\x01\x00\x00\x00\xff", 1, r"element 0 is not UTF-8 \(byte 0\)"),
        (b"\x00\x00\x00\x00" * 2, 1, "more than the 1 elements"),
        (b"", 1, "there are 0 elements, its shape says 1"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(raw, count, message):
    with pytest.raises(TensorError, match=message):
        read_strings(memoryview(raw), count)


def test_integers_of_another_size_are_refused():
    with pytest.raises(TensorError, match="2 INT64 have 16 bytes, there are 15"):
        read_integers(memoryview(bytes(15)), 2)


@pytest.mark.parametrize("length", [-1, 4])
def test_a_body_shorter_than_its_header_says_is_refused(length):
    with pytest.raises(TensorError, match=f"is {length}, the body has 3 bytes"):
        split(b"{}x", length)


def test_a_body_is_json_and_then_tensors():
    header, tail = split(b"{}abcd", 2)
    assert header == b"{}"
    assert [bytes(part) for part in take(tail, [1, 0, 3])] == [b"a", b"", b"bcd"]


@pytest.mark.parametrize("sizes", [[3], [5], [-1, 5], [], [2**70]])
def test_tensors_must_fill_what_follows_the_json(sizes):
    with pytest.raises(TensorError, match="4 bytes follow the JSON"):
        take(memoryview(b"abcd"), sizes)


@pytest.mark.parametrize("data", [["a", "b", "c", "d"], [["a", "b"], ["c", "d"]]])
def test_json_data_is_flat_or_nested_like_its_shape(data):
    assert flat_strings(data, [2, 2]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("data", [[["a"], ["b", "c", "d"]], [["a", "b"]], [], ["a"], None, "abcd", {"0": "a"}])
def test_json_data_of_another_shape_is_refused(data):
    with pytest.raises(TensorError, match=r"elements|no data"):
        flat_strings(data, [2, 2])


@pytest.mark.parametrize("data", [[1.0], [True], ["1"], [2**63], [-(2**63) - 1], [None]])
def test_json_data_that_is_no_int64_is_refused(data):
    with pytest.raises(TensorError, match="whole numbers of 64 bits"):
        flat_integers(data, [1])


def test_json_data_that_is_no_text_is_refused():
    with pytest.raises(TensorError, match="must be strings"):
        flat_strings([1], [1])
