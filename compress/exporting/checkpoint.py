"""A Checkpoint folder to an ONNX folder, proved on real texts; the one door that the step `export_onnx` uses.

A lean graph is proved as the plain one is; where the graph is not built as those that can be rewritten, or the lean one
does not answer as the model does, the plain one is kept and the reason told.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import transformers

from compress.errors import ExportError, ModelError
from compress.exporting.folder import copy_beside
from compress.exporting.lean.rewrite import make_lean
from compress.exporting.nodes import count_nodes, count_optimised
from compress.exporting.onnx_graph import check_graph, export_graph
from compress.exporting.parity import Parity, check_parity, check_tokens, spread_over_lengths
from compress.inference.onnx_predictor import MODEL, open_onnx
from compress.inference.predictor import Predictor
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
    lean: bool = False,
    one_text: bool = False,
) -> dict[str, Any]:
    """Write `model.onnx`, `config.json` and the tokenizer's files to `target`; what was found, as JSON.

    Args:
        folder: a checkpoint.
        target: an empty folder.
        texts: real ones of the model's own data; some, spread over their lengths, are asked of both.
        max_length: tokens that the model is asked with.
        opset: of ONNX; None: the newest that the exporter writes.
        fuse: into onnxruntime's own operators.
        lean: rewrite the graph into fewer and quicker operators, where it is built as those that can be.
        one_text: rows are one text, never a pair: a lean graph then needs no token types.

    Raises: ExportError when the model cannot be exported or the graph answers otherwise.
    """
    if not texts:
        raise ExportError("the model's data set has no text to prove the graph on.")
    model, tokenizer = load_checkpoint(folder), load_tokenizer(folder)
    encoder = TextEncoder.load(folder, max_length=max_length)
    asked = _asked(texts, encoder, tokenizer)
    inputs = _inputs(model, tokenizer)
    opset = export_graph(model, target / MODEL, inputs=inputs, opset=opset, fuse=fuse)
    check_graph(target / MODEL)
    copy_beside(folder, target)
    reference = TorchPredictor(model, frozenset(inputs))
    graph, proved = _lean(target, reference, encoder, asked, one_text=one_text) if lean else ({"kind": "plain"}, None)
    parity = proved or check_parity(reference, open_onnx(target, threads=THREADS), encoder, asked)
    return {
        "opset": opset,
        "graph": graph,
        "inputs": _inputs_of_graph(target / MODEL),
        "nodes": count_nodes(target / MODEL),
        "nodes_optimised": count_optimised(target / MODEL),
        "parity": asdict(parity),
    }


def _asked(texts: Sequence[Text], encoder: TextEncoder, tokenizer: transformers.PreTrainedTokenizerBase) -> list[Text]:
    """Some texts, spread over their lengths, of which both tokenizers make the same."""
    asked = [texts[row] for row in spread_over_lengths(encoder.lengths(texts), PARITY_ROWS)]
    check_tokens(tokenizer, encoder, asked)
    return asked


def _lean(
    target: Path, reference: Predictor, encoder: TextEncoder, asked: Sequence[Text], *, one_text: bool
) -> tuple[dict[str, Any], Parity | None]:
    """Put the lean graph in the plain one's place; what was rewritten, and its proof. None: the plain one stays."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        made = Path(folder) / MODEL
        try:
            rewritten = make_lean(target / MODEL, made, pad_id=encoder.pad_id, one_text=one_text)
            check_graph(made)
            parity = check_parity(reference, open_onnx(made.parent, threads=THREADS), encoder, asked)
        except (ExportError, ModelError) as error:  # onnxruntime may refuse it too
            return {"kind": "plain", "not_lean_because": str(error).replace(f"{folder}/", "")}, None
        made.replace(target / MODEL)
    return {"kind": "lean", **asdict(rewritten)}, parity


def _inputs_of_graph(file: Path) -> list[str]:
    return [value.name for value in onnx.load(file, load_external_data=False).graph.input]


def _inputs(model: transformers.PreTrainedModel, tokenizer: transformers.PreTrainedTokenizerBase) -> tuple[str, ...]:
    """What the model takes and its tokenizer gives: RoBERTa takes token types, but never learned with any."""
    takes = inputs_of(model)
    return tuple(name for name in INPUTS if name in takes and name in tokenizer.model_input_names)
