"""The files beside `model.onnx`: what Optimum's ORTModel classes read, and the less that an edge box needs.

A bundle's `config.json` is the model's own with three keys more, so that tokenizer and configuration suffice to answer
texts: `task`, `max_length` (tokens) and `padding` (`pad_token`, `pad_id`); a fourth, `one_text_at_a_time`, where the
graph takes no mask.
"""

import json
import shutil
from pathlib import Path

from tokenizers import Tokenizer

from compress.errors import ExportError
from compress.exporting.lean.without_mask import leave_out_mask
from compress.inference.onnx_predictor import MODEL
from compress.inference.text_encoder import CONFIG, TOKENIZER, TextEncoder
from compress.task import Task

BESIDE = (CONFIG, TOKENIZER, "tokenizer_config.json", "special_tokens_map.json")
REQUIRED = (CONFIG, TOKENIZER)


def copy_beside(source: Path, target: Path) -> None:
    """Configuration and tokenizer files of a model folder. Raises: ExportError when one that is needed is missing."""
    for name in BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
        elif name in REQUIRED:
            raise ExportError(f"{source.name} has no {name}: make the stage before this one again.")
    _write_plain(target / TOKENIZER)


def write_bundle(
    source: Path, target: Path, *, task: Task, max_length: int, one_text_at_a_time: bool = False
) -> dict[str, float]:
    """The bundle of an OnnxModel folder, without manifest; 10^6 bytes of each file.

    The graph is linked, not copied, where the file system can; so the bundle answers with the very bytes that were
    measured. For one text at a time it is written anew, without mask.

    Raises: ExportError when a graph for one text at a time is asked of one that is not lean.
    """
    if one_text_at_a_time:
        leave_out_mask(source / MODEL, target / MODEL)
    else:
        _link(source / MODEL, target / MODEL)
    shutil.copyfile(source / TOKENIZER, target / TOKENIZER)
    tokenizer = _write_plain(target / TOKENIZER)
    pad_id = TextEncoder.load(source, max_length=max_length).pad_id
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    config |= {
        "task": task,
        "max_length": max_length,
        "padding": {"pad_token": tokenizer.id_to_token(pad_id), "pad_id": pad_id},
    }
    if one_text_at_a_time:
        config["one_text_at_a_time"] = True
    (target / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return {name: (target / name).stat().st_size / 1e6 for name in (MODEL, TOKENIZER, CONFIG)}


def _write_plain(path: Path) -> Tokenizer:
    """Write a tokenizer compactly, without the padding and truncation that it was saved with."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(path), pretty=False)
    return tokenizer


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
