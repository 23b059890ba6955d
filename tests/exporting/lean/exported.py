"""Plain and lean graphs of tiny models, and how far apart two folders answer."""

from pathlib import Path

import numpy as np
import onnx

from compress.exporting.lean.rewrite import Lean, make_lean
from compress.exporting.onnx_graph import check_graph, export_graph
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from tests.tiny import tiny_onnx, tiny_texts

TEXTS = [*tiny_texts(rows=5)[0], "", "goal " * 40]
PAIRS = [(text, text[::-1]) for text in TEXTS[:-2]]


def lean_of(folder: Path, family="bert", *, one_text: bool = True) -> tuple[Path, Path, Lean]:
    """Folders of the plain and of the lean graph, and what was rewritten."""
    plain, lean = tiny_onnx(folder / "plain", family), tiny_onnx(folder / "lean", family)
    pad_id = TextEncoder.load(plain, max_length=32).pad_id
    found = make_lean(plain / "model.onnx", lean / "model.onnx", pad_id=pad_id, one_text=one_text)
    check_graph(lean / "model.onnx")
    return plain, lean, found


def largest_difference(one, other, encoder: TextEncoder, texts=TEXTS) -> float:
    """Of a logit, with each text alone, padded, and in batches with others."""
    ways = [([text], pad_to) for text in texts for pad_to in (None, 32)] + [(texts, None), (texts[::-1], 32)]
    batches = [encoder.encode(some, pad_to=pad_to) for some, pad_to in ways]
    wanted = [one.predict(batch)["logits"] for batch in batches]
    assert max(np.abs(logits).max() for logits in wanted) > 1e-2, "a model that answers nothing proves nothing"
    return max(
        float(np.abs(logits - other.predict(batch)["logits"]).max())
        for logits, batch in zip(wanted, batches, strict=True)
    )


def operators(folder: Path) -> list[str]:
    return [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]


def inputs(folder: Path) -> list[str]:
    return [value.name for value in onnx.load(folder / "model.onnx").graph.input]


def open_both(plain: Path, lean: Path):
    return open_onnx(plain, threads=1), open_onnx(lean, threads=1), TextEncoder.load(plain, max_length=32)


def export(model, folder: Path, names=("input_ids", "attention_mask", "token_type_ids")) -> Path:
    folder.mkdir()
    export_graph(model, folder / "model.onnx", inputs=names)
    return folder
