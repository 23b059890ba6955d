"""A Checkpoint folder to an ONNX folder, proved on real texts; the one door that the step `export_onnx` uses."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import transformers

from compress.errors import ExportError
from compress.exporting.folder import copy_beside
from compress.exporting.nodes import count_nodes, count_optimised
from compress.exporting.onnx_graph import check_graph, export_graph
from compress.exporting.parity import check_parity, check_tokens, spread_over_lengths
from compress.inference.onnx_predictor import MODEL, open_onnx
from compress.inference.text_encoder import Text, TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of
from compress.models.load import load_checkpoint, load_tokenizer

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PARITY_ROWS = 16
THREADS = 1  # the proof is of numbers, not of speed


def export_checkpoint(
    folder: Path,
    target: Path,
    *,
    texts: Sequence[Text],
    max_length: int,
    opset: int | None = None,
    fuse: bool = False,
) -> dict[str, Any]:
    """Write `model.onnx`, `config.json` and the tokenizer's files to `target`; what was found, as JSON.

    Args:
        folder: a checkpoint.
        target: an empty folder.
        texts: real ones of the model's own data; some, spread over their lengths, are asked of both.
        max_length: tokens that the model is asked with.
        opset: of ONNX; None: the newest that the exporter writes.
        fuse: into onnxruntime's own operators.

    Raises: ExportError when the model cannot be exported or the graph answers otherwise.
    """
    if not texts:
        raise ExportError("the model's data set has no text to prove the graph on.")
    model, tokenizer = load_checkpoint(folder), load_tokenizer(folder)
    encoder = TextEncoder.load(folder, max_length=max_length)
    asked = [texts[row] for row in spread_over_lengths(encoder.lengths(texts), PARITY_ROWS)]
    check_tokens(tokenizer, encoder, asked)
    inputs = _inputs(model, tokenizer)
    opset = export_graph(model, target / MODEL, inputs=inputs, opset=opset, fuse=fuse)
    check_graph(target / MODEL)
    copy_beside(folder, target)
    reference = TorchPredictor(model, frozenset(inputs))
    parity = check_parity(reference, open_onnx(target, threads=THREADS), encoder, asked)
    return {
        "opset": opset,
        "inputs": list(inputs),
        "nodes": count_nodes(target / MODEL),
        "nodes_optimised": count_optimised(target / MODEL),
        "parity": asdict(parity),
    }


def _inputs(model: transformers.PreTrainedModel, tokenizer: transformers.PreTrainedTokenizerBase) -> tuple[str, ...]:
    """What the model takes and its tokenizer gives: RoBERTa takes token types, but never learned with any."""
    takes = inputs_of(model)
    return tuple(name for name in INPUTS if name in takes and name in tokenizer.model_input_names)
