"""Tensors as bytes: the binary data extension of the Open Inference Protocol, as Triton has it.

A body is JSON, then the raw tensors one after another in the order of the JSON; the header
`Inference-Header-Content-Length` says how long the JSON is and each tensor's `binary_data_size` how many bytes are its
own. Numbers are little-endian, row-major; an element of BYTES is its length, 4 bytes little-endian, then its bytes.

Knows no model and no HTTP. Every mistake is a `TensorError`, before anything is allocated for it.
"""

import struct
from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from compress.inference.predictor import Array

LENGTH = struct.Struct("<I")
FLOAT, INTEGER = np.dtype("<f4"), np.dtype("<i8")


class TensorError(ValueError):
    """A tensor that is not what it says it is."""


def split(body: bytes, header_length: int) -> tuple[bytes, memoryview]:
    """The JSON and what follows it. Raises: TensorError when the body is shorter than its JSON should be."""
    if not 0 <= header_length <= len(body):
        raise TensorError(f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes")
    return body[:header_length], memoryview(body)[header_length:]


def take(tail: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    """The raw tensors out of what follows the JSON. Raises: TensorError unless they fill it exactly."""
    if any(size < 0 for size in sizes) or sum(sizes) != len(tail):
        raise TensorError(f"the tensors should have {list(sizes)} bytes, {len(tail)} bytes follow the JSON")
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [tail[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def read_strings(raw: memoryview, count: int) -> list[str]:
    """`count` elements of BYTES as text. Raises: TensorError for another number of them, or bytes that are no UTF-8."""
    texts: list[str] = []
    place = 0
    while place < len(raw):
        if len(texts) == count:
            raise TensorError(f"there are more than the {count} elements of its shape")
        text, place = _read_string(raw, place, index=len(texts))
        texts.append(text)
    if len(texts) != count:
        raise TensorError(f"there are {len(texts)} elements, its shape says {count}")
    return texts


def read_integers(raw: memoryview, count: int) -> Array:
    """`count` INT64, int64 (count,). Raises: TensorError for another number of bytes."""
    if len(raw) != count * INTEGER.itemsize:
        raise TensorError(f"{count} INT64 have {count * INTEGER.itemsize} bytes, there are {len(raw)}")
    return np.frombuffer(raw, dtype=INTEGER)


def flat_strings(data: object, shape: Sequence[int]) -> list[str]:
    """The elements of JSON data, flat or nested as `shape` is. Raises: TensorError for other data or another shape."""
    elements = _flat(data, shape)
    if not all(isinstance(element, str) for element in elements):
        raise TensorError("its data must be strings")
    return [str(element) for element in elements]


def flat_integers(data: object, shape: Sequence[int]) -> Array:
    """The same for INT64: int64 (elements,)."""
    elements = _flat(data, shape)
    try:
        if set(map(type, elements)) <= {int}:
            return np.array(elements, dtype=np.int64)
    except OverflowError:
        pass
    raise TensorError("its data must be whole numbers of 64 bits")


def write_strings(texts: Iterable[str]) -> bytes:
    """A BYTES tensor."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for each in encoded for part in (LENGTH.pack(len(each)), each))


def write_floats(array: Array) -> bytes:
    """An FP32 tensor."""
    return np.ascontiguousarray(array, dtype=FLOAT).tobytes()


def _read_string(raw: memoryview, place: int, *, index: int) -> tuple[str, int]:
    start = place + LENGTH.size
    size = LENGTH.unpack_from(raw, place)[0] if start <= len(raw) else 0
    if start + size > len(raw):
        raise TensorError(f"element {index} reaches beyond its end")
    try:
        return str(raw[start : start + size], "utf-8"), start + size
    except UnicodeDecodeError as error:
        raise TensorError(f"element {index} is not UTF-8 (byte {error.start})") from error


def _flat(data: object, shape: Sequence[int]) -> list[object]:
    if not isinstance(data, list):
        raise TensorError("it has no data: give `data`, or send it as binary data")
    if len(shape) > 1 and len(data) == shape[0] and all(isinstance(part, list) for part in data):
        return [element for part in data for element in _flat(part, shape[1:])]
    if len(data) != prod(shape):
        raise TensorError(f"its shape {list(shape)} has {prod(shape)} elements, its data {len(data)}")
    return data
