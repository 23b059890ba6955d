"""What a model takes and gives as named tensors, and how they become rows and answers; knows no HTTP.

In: `text`, BYTES (texts), (texts, 1) or for pairs (texts, 2); or `input_ids`, INT64 (rows, length), with
`attention_mask` (ones, then zeros; what is zero is left out) and `token_type_ids` of the same shape, where needed.
Out: `logits` FP32 (rows, labels); `probabilities` FP32 (rows, labels) and `label` BYTES (rows), or for a regression
`value` FP32 (rows).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compress.inference.predictor import Array
from compress.inference.text_encoder import Text
from compress.serving.backend import ModelFacts, PairIds
from compress.serving.binary_tensors import TensorError
from compress.serving.model import prediction
from compress.serving.problems import Problem, bad_request

TEXT, IDS, MASK, TYPES = "text", "input_ids", "attention_mask", "token_type_ids"
KNOWN = {TEXT: "BYTES", IDS: "INT64", MASK: "INT64", TYPES: "INT64"}
REGRESSION = "text-regression"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Output:
    """A named tensor of an answer."""

    name: str
    datatype: str
    shape: Shape
    values: Array | tuple[str, ...]
    """FP32: an array of that shape; BYTES: the elements in order."""


def describe_inputs() -> list[dict[str, object]]:
    """As model metadata has them; -1: any number."""
    shapes = {TEXT: [-1], IDS: [-1, -1], MASK: [-1, -1], TYPES: [-1, -1]}
    return [{"name": name, "datatype": KNOWN[name], "shape": shape} for name, shape in shapes.items()]


def describe_outputs(facts: ModelFacts) -> list[dict[str, object]]:
    """As model metadata has them."""
    shapes: dict[str, list[int]] = {"logits": [-1, len(facts.labels)]}
    if facts.task == REGRESSION:
        shapes = {"logits": [-1, 1], "value": [-1]}
    else:
        shapes |= {"probabilities": [-1, len(facts.labels)], "label": [-1]}
    types = {"label": "BYTES"}
    return [{"name": name, "datatype": types.get(name, "FP32"), "shape": shape} for name, shape in shapes.items()]


def check_inputs(names: Sequence[str]) -> None:
    """Raises: Problem unless it is `text` alone, or `input_ids` with what belongs to them."""
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        raise bad_request("unknown_tensor", f"there is no input {unknown[0]!r}: inputs are {', '.join(KNOWN)}.")
    if len(set(names)) != len(names):
        raise bad_request("bad_tensor", "an input is given twice.")
    if (TEXT in names) == (IDS in names) or (TEXT in names and len(names) > 1):
        raise bad_request("bad_tensor", f"give either {TEXT}, or {IDS} (with {MASK}, {TYPES} where needed).")


def texts_from(elements: Sequence[str], shape: Shape) -> list[Text]:
    """Texts or pairs of texts. Raises: TensorError for a shape that is neither."""
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return list(elements)
    if len(shape) == 2 and shape[1] == 2:
        return list(zip(elements[::2], elements[1::2], strict=True))
    raise TensorError(f"its shape is {list(shape)}: it must be [texts], or [texts, 2] for pairs")


def rows_from(tensors: Mapping[str, Array]) -> list[tuple[int, ...]]:
    """Token ids of each row, without padding.

    Args:
        tensors: int64 (rows, length) each, by the names above.

    Raises: Problem for other shapes, and for a mask that is not ones and then zeros.
    """
    ids = tensors[IDS]
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or 0 in tensor.shape or tensor.shape != ids.shape:
            found = f"{name} has the shape {list(tensor.shape)}"
            raise bad_request("bad_tensor", f"{found}: it must be [rows, length], none of them 0, the same for all.")
    lengths = _lengths(tensors.get(MASK, np.ones_like(ids)))
    types = tensors.get(TYPES, np.zeros_like(ids))
    if ((types < 0) | (types > 1)).any():
        raise bad_request("bad_tensor", f"{TYPES} must be 0 or 1.")
    return [_row(ids[row, :length], types[row, :length]) for row, length in enumerate(lengths)]


def outputs_from(facts: ModelFacts, logits: Sequence[Array]) -> dict[str, Output]:
    """Every output of the model, by name."""
    rows, table = len(logits), np.stack(logits).astype(np.float32)
    outputs = [Output("logits", "FP32", (rows, table.shape[1]), table)]
    if facts.task == REGRESSION:
        outputs.append(Output("value", "FP32", (rows,), table[:, 0]))
    else:
        predictions = [prediction(facts, row) for row in logits]
        shares = np.array([[one.probabilities[label] for label in facts.labels] for one in predictions], np.float32)
        outputs.append(Output("probabilities", "FP32", shares.shape, shares))
        outputs.append(Output("label", "BYTES", (rows,), tuple(one.label or "" for one in predictions)))
    return {output.name: output for output in outputs}


def _lengths(mask: Array) -> list[int]:
    lengths: Array = mask.sum(axis=1)
    wanted = np.arange(mask.shape[1])[None, :] < lengths[:, None]
    if (lengths < 1).any() or (mask != wanted).any():
        raise bad_request("bad_tensor", f"{MASK} must be ones and then zeros in each row, and at least one one.")
    return [int(length) for length in lengths]


def _row(ids: Array, types: Array) -> tuple[int, ...]:
    if not types.any():
        return tuple(ids.tolist())
    pair = PairIds(ids.tolist())
    pair.types = tuple(types.tolist())
    return pair


def refused(name: str, error: TensorError) -> Problem:
    """A tensor's mistake as a 400."""
    return bad_request("bad_tensor", f"{name}: {error}.")
