"""A delta added into the weights of an exported float graph: a merged model without loading and exporting it again.

The layers' weights are found among the graph's initializers by their values, as they are or transposed, alone or as
columns of a packed product. Whether the result answers as the set does is for `making.py` to prove.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from compress.adapters.delta import Array, Delta


@dataclass(frozen=True)
class Place:
    """Where a layer's parameter is: in these columns of an initializer, transposed or not."""

    initializer: str
    columns: slice
    transposed: bool


def find_places(model: onnx.ModelProto, parameters: Mapping[str, Array]) -> dict[str, Place]:
    """The place of each parameter, (outputs, inputs) or (outputs,).

    Raises: ValueError when one is not there, or twice.
    """
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    floats = {name: array for name, array in arrays.items() if array.dtype == np.float32 and array.ndim in (1, 2)}
    found = {}
    for parameter, values in parameters.items():
        places = [place for name, array in floats.items() for place in _places(name, array, values)]
        if len(places) != 1:
            raise ValueError(f"{parameter} is in {len(places)} places of the graph: one is needed")
        found[parameter] = places[0]
    return found


def merge(model: onnx.ModelProto, places: Mapping[str, Place], base: Mapping[str, Array], delta: Delta) -> None:
    """Change the weights in place.

    Args:
        model: a fresh copy of the base's graph.
        places: of all that the delta changes.
        base: what is there now.
        delta: is added; its head replaces the base's.
    """
    new: dict[str, Array] = {}
    for module, update in delta.updates.items():
        change = np.float32(update.scale) * (update.b @ update.a)
        new[f"{module}.weight"] = (base[f"{module}.weight"] + change).astype(np.float32)
    for module, layer in delta.head.items():
        new |= {f"{module}.weight": layer.weight, f"{module}.bias": layer.bias}
    tensors = {one.name: one for one in model.graph.initializer}
    for parameter, values in new.items():
        place = places[parameter]
        tensor = tensors[place.initializer]
        array = numpy_helper.to_array(tensor).copy()
        array[..., place.columns] = values.T if place.transposed else values
        tensor.CopyFrom(numpy_helper.from_array(array, place.initializer))


def _places(name: str, array: Array, values: Array) -> Iterator[Place]:
    """Where in this initializer the values are."""
    if array.ndim != values.ndim:
        return
    for transposed in (True, False) if values.ndim == 2 else (False,):
        wanted = values.T if transposed else values
        width = wanted.shape[-1]
        if array.shape[:-1] != wanted.shape[:-1]:
            continue
        for first in range(0, array.shape[-1] - width + 1, width):
            columns = slice(first, first + width)
            if np.array_equal(array[..., columns], wanted):
                yield Place(name, columns, transposed)
