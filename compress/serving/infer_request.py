"""An inference request of the Open Inference Protocol: its shape, and the texts or token ids out of it.

Knows neither models nor HTTP, but for the name of a header.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compress.inference.predictor import Array
from compress.inference.text_encoder import Text
from compress.serving.binary_tensors import (
    TensorError,
    flat_integers,
    flat_strings,
    read_integers,
    read_strings,
    split,
    take,
)
from compress.serving.problems import bad_json, bad_request
from compress.serving.tensors import KNOWN, TEXT, check_inputs, refused, texts_from

HEADER_LENGTH = "Inference-Header-Content-Length"
REFUSED_PARAMETERS = ("shared_memory_region", "classification")
LONGEST_NAME = 256
MOST_TENSORS = 16
LONGEST_TIMEOUT = 2**63
"""Microseconds; a number of JSON can be too large even to be divided."""

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Size = Annotated[int, Field(strict=True, ge=0, le=2**31)]


class Wire(BaseModel):
    """What is read from a client: keys that this version does not know are ignored, as the protocol wants."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class RequestedOutput(Wire):
    """An output that the client wants."""

    name: Name
    parameters: dict[str, Any] = {}
    """`binary_data`: as bytes after the JSON."""


class Tensor(Wire):
    """An input."""

    name: Name
    """`text`, or `input_ids`, `attention_mask`, `token_type_ids`."""
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=4)]
    datatype: Name
    """`BYTES` for texts, `INT64` for token ids."""
    data: Any = None
    """Flat or nested; left out when it follows as bytes."""
    parameters: dict[str, Any] = {}
    """`binary_data_size`: its bytes after the JSON."""


class InferRequest(Wire):
    """An inference request."""

    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1, max_length=MOST_TENSORS)]
    """Tensors with `name`, `datatype`, `shape` and `data`: `text` as BYTES, or `input_ids` as INT64."""
    outputs: Annotated[tuple[RequestedOutput, ...], Field(max_length=MOST_TENSORS)] = ()
    """Left out: all."""
    id: Name = ""
    """Comes back in the answer."""
    parameters: dict[str, Any] = {}
    """`timeout` in microseconds; `binary_data_output`: all outputs as bytes."""


def parse_request(body: bytes, header_length: str | None) -> tuple[InferRequest, dict[str, memoryview]]:
    """The request, and the raw tensors by name. Raises: Problem when it is not such a request."""
    try:
        header, tail = split(body, len(body) if header_length is None else _number(header_length))
        wanted = InferRequest.model_validate_json(header)
        check_inputs([tensor.name for tensor in wanted.inputs])
        sizes = {tensor.name: _binary_size(tensor) for tensor in wanted.inputs}
        raw = {name: size for name, size in sizes.items() if size is not None}
        return wanted, dict(zip(raw, take(tail, list(raw.values())), strict=True))
    except ValidationError as error:
        raise bad_json(error) from error
    except TensorError as error:
        raise bad_request("bad_tensor", f"{error}.") from error


def read_inputs(tensors: Sequence[Tensor], raw: Mapping[str, memoryview]) -> list[Text] | dict[str, Array]:
    """Texts, or arrays int64 by name. Raises: Problem for wrong types, shapes or data."""
    arrays = {}
    for tensor in tensors:
        if tensor.datatype != KNOWN[tensor.name]:
            message = f"{tensor.name} is {tensor.datatype}, it must be {KNOWN[tensor.name]}."
            raise bad_request("bad_tensor", message)
        try:
            if tensor.name == TEXT:
                return texts_from(_strings(tensor, raw.get(TEXT)), tensor.shape)
            arrays[tensor.name] = _integers(tensor, raw.get(tensor.name)).reshape(tensor.shape)
        except TensorError as error:
            raise refused(tensor.name, error) from error
    return arrays


def timeout_ms(parameters: Mapping[str, Any]) -> float | None:
    """What the parameter `timeout`, in microseconds, says. Raises: Problem when it is no such number."""
    timeout = parameters.get("timeout")
    if timeout is None or timeout == 0:  # Triton: 0 is none
        return None
    if type(timeout) is not int or not 0 <= timeout < LONGEST_TIMEOUT:
        raise bad_request("bad_request", "parameters.timeout must be a number of microseconds.")
    return timeout / 1000


def refuse_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raises: Problem for what this server does not do with a tensor."""
    for parameter in REFUSED_PARAMETERS:
        if parameter in parameters:
            raise bad_request("unsupported", f"{name}: {parameter} is not supported here.")


def _strings(tensor: Tensor, raw: memoryview | None) -> list[str]:
    return flat_strings(tensor.data, tensor.shape) if raw is None else read_strings(raw, prod(tensor.shape))


def _integers(tensor: Tensor, raw: memoryview | None) -> Array:
    return flat_integers(tensor.data, tensor.shape) if raw is None else read_integers(raw, prod(tensor.shape))


def _binary_size(tensor: Tensor) -> int | None:
    refuse_parameters(tensor.name, tensor.parameters)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0 or tensor.data is not None:
        raise TensorError(f"{tensor.name}: binary_data_size must be a number of bytes, and then there is no data")
    return size


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise TensorError(f"{HEADER_LENGTH} is not a number of bytes")
    return int(text)
