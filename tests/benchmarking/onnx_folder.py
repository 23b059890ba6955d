"""A real model.onnx with its tokenizer, without torch: each token's row of a table, summed over the text."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "bank", "shares", "goal", "team", "won")


def onnx_folder(folder: Path, *, classes: int = 3, positions: int = 512, kind: str | None = None) -> Path:
    """The folder, written; answers (batch, length) with logits (batch, classes)."""
    folder.mkdir(parents=True)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])
    table = np.random.default_rng(0).normal(size=(len(WORDS), classes)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axes"], ["logits"], keepdims=0),
    ]
    held = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axes")]
    graph = helper.make_graph(nodes, "sum", [ids], [logits], held)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )
    tokenizer().save(str(folder / "tokenizer.json"))
    config = {"model_type": "bert", "max_position_embeddings": positions, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    if kind is not None:
        (folder / "manifest.json").write_text(json.dumps({"kind": kind}))
    return folder


def tokenizer() -> Tokenizer:
    """Whole words between [CLS] and [SEP]."""
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made
