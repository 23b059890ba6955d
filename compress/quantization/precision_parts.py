"""The parts of a float graph that can have a precision of their own: products, looked-up tables, whole layers.

An operator is called by the output of its node in the float graph. Operators that read one matrix are one part, since
it is stored once. Knows no scheme.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from compress.errors import QuantizationError
from compress.precision import Quantized
from compress.quantization.embeddings import looked_up_tables
from compress.quantization.finishing import load_float
from compress.quantization.precision_modules import layer_of, modules_of
from compress.quantization.products import products_of

Kind = Literal["product", "embedding", "layer"]


@dataclass(frozen=True)
class Part:
    """What has one precision."""

    name: str
    """Of its first operator, or the layer's module."""
    module: str
    """Where it stands in the model, for people; its name where the graph does not say."""
    kind: Kind
    operators: tuple[str, ...]
    """The products and lookups in it."""


def parts_of(source: Path, *, by: Literal["operator", "layer"]) -> list[Part]:
    """Everything that can be quantized, in the order of the graph.

    Args:
        source: a float graph, as it was exported.
        by: operator: each product and each table. layer: all products of an encoder layer together; tables, and
            products outside of the layers, are parts of their own.

    Raises: QuantizationError when the graph is quantized already, when there is nothing to quantize, or when it does
        not say what its layers are.
    """
    modules, model = modules_of(onnx.load(source)), load_float(source)
    parts = [*_tables(model, modules), *_products(model, modules)]
    if not parts:
        raise QuantizationError(
            "The graph has no float weights in MatMul, Gemm or Gather: there is nothing to quantize. Is it the right "
            "model, and exported unfused?"
        )
    return parts if by == "operator" else list(_layers(parts))


def fits(part: Part, precision: Quantized) -> bool:
    """Whether a part can have it: a looked-up table has no activations whose range could be constant."""
    return not (part.kind == "embedding" and precision == "static_int8")


def _tables(model: onnx.ModelProto, modules: Mapping[str, str]) -> Iterator[Part]:
    readers: dict[str, list[str]] = {}
    for name, table in looked_up_tables(model).items():
        readers.setdefault(table, []).append(name)
    for table, names in readers.items():
        yield Part(names[0], _table_name(table, modules.get(names[0], names[0])), "embedding", tuple(names))


def _products(model: onnx.ModelProto, modules: Mapping[str, str]) -> Iterator[Part]:
    readers: dict[str, list[str]] = {}
    for product in products_of(model):
        readers.setdefault(product.weight.removesuffix("/turned"), []).append(product.name)
    for names in readers.values():
        yield Part(names[0], modules.get(names[0], names[0]), "product", tuple(names))


def _layers(parts: list[Part]) -> Iterator[Part]:
    """The products of a layer in the place of its first one."""
    layers: dict[str, list[str]] = {}
    for part in parts:
        if (layer := _layer(part)) is not None:
            layers.setdefault(layer, []).extend(part.operators)
    if not layers:
        raise QuantizationError(
            "The graph does not say which products belong to which layer: use `by: operator`, or export it again."
        )
    for part in parts:
        layer = _layer(part)
        if layer is None:
            yield part
        elif layer in layers:
            yield Part(layer, layer, "layer", tuple(layers.pop(layer)))


def _layer(part: Part) -> str | None:
    return layer_of(part.module) if part.kind == "product" else None


def _table_name(table: str, module: str) -> str:
    """Tables keep the names of their parameters, also when they were cut and added up."""
    return table.split("/")[0].removesuffix(".weight") if "." in table else module
