"""A classifier to one ONNX file, through `transformers.exporters` (experimental: the graph is checked, not trusted).

Attention is exported as plain products and a softmax (`eager`): the default `sdpa` adds masks and slices to every layer
that onnxruntime does not remove. Operators are left unfused unless asked: onnxruntime fuses what suits its kernels when
it loads, and fused Attention cannot be quantized well. Knows no text and no tokenizer.
"""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import torch
import transformers
from torch.export import Dim
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter

from compress.errors import ExportError

AXES = ("batch", "length")
OPERATOR = re.compile(r"(?:OpOverload\(op='|No ONNX function found for <?)(?!OpOverload)([\w.:]+)")
KEPT_METADATA = "pkg.torch.onnx.name_scopes"  # which module a node comes from; the rest holds paths of this machine


def export_graph(
    model: transformers.PreTrainedModel,
    file: Path,
    *,
    inputs: Sequence[str],
    opset: int | None = None,
    fuse: bool = False,
) -> int:
    """Write `model` as an ONNX graph with dynamic batch and length; gives the opset back.

    Args:
        model: a sequence classifier; its weights and attention setting are left as they are.
        file: where to write; weights inside.
        inputs: names that both the model and its tokenizer know; each int64 (batch, length).
        opset: of the standard operators; None: the newest that the exporter writes.
        fuse: into onnxruntime's own operators for the CPU; such a file runs on onnxruntime alone.

    Raises: ExportError naming the operator that ONNX lacks, or what else is in the way.
    """
    dynamic = Dim.DYNAMIC  # refuses, unlike AUTO, to take a traced length for the only one
    example: dict[str, Any] = {name: torch.ones(2, 16, dtype=torch.int64) for name in inputs}
    config = OnnxConfig(
        dynamic_shapes={name: {0: dynamic, 1: dynamic} for name in inputs},
        opset_version=opset,
        ort_fusions="cpu" if fuse else None,
    )
    with _quietly(), _eager(model):
        try:
            exporter = OnnxExporter()  # type: ignore[no-untyped-call]
            program = exporter.export(model, example, config=config).program
        except Exception as error:
            raise ExportError(_explanation(model, error)) from error
        onnx_ir.save(program, str(file))
    return _tidy(file)


def check_graph(file: Path) -> None:
    """What onnx itself checks, shapes included. Raises: ExportError when the file is not a valid model."""
    try:
        onnx.checker.check_model(str(file), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{file.name} is not a valid ONNX model: {error}") from error


def _tidy(file: Path) -> int:
    """Name the axes, drop what the exporter tells about this machine; the opset."""
    graph_model = onnx.load(file)
    graph = graph_model.graph
    del graph.value_info[:]  # inferred again by whoever reads it
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]
        for dim, name in zip(value.type.tensor_type.shape.dim, AXES, strict=False):
            if dim.HasField("dim_param"):
                dim.dim_param = name
    for node in graph.node:
        kept = [entry for entry in node.metadata_props if entry.key == KEPT_METADATA]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    for holder in (graph_model, graph, *graph.initializer):
        del holder.metadata_props[:]
        holder.doc_string = ""
    onnx.save(graph_model, file)
    return next(int(opset.version) for opset in graph_model.opset_import if opset.domain == "")


def _explanation(model: transformers.PreTrainedModel, error: BaseException) -> str:
    """The operator when the exporter named one, else the first line of the innermost error."""
    chain = list(_causes(error))
    name = type(model).__name__
    for cause in reversed(chain):
        found = OPERATOR.search(str(cause))
        if found:
            return (
                f"{name} cannot be exported: the operator {found[1]} has no counterpart in ONNX. "
                "Use a model without it, or another opset."
            )
    first = next((line for line in str(chain[-1]).splitlines() if line.strip()), "")
    return f"{name} cannot be exported to ONNX: {type(chain[-1]).__name__}: {first.strip()}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def _eager(model: transformers.PreTrainedModel) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporters print their progress and warn of every library version; errors are raised anyway."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "transformers", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
