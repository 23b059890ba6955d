"""A checkpoint, or a LoRA delta unmerged on its base, in PyTorch fp32 on the CPU."""

import inspect
import json
from pathlib import Path
from typing import Any

import torch

from compress.errors import ModelError
from compress.inference.predictor import LOGITS, Batch, Predictor
from compress.models.load import load_checkpoint, load_delta


class TorchPredictor:
    """An open module, in evaluation mode."""

    def __init__(self, model: torch.nn.Module, takes: frozenset[str]) -> None:
        self._model, self._takes = model, takes

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, classes); inputs that the model does not take are left out."""
        tensors = {name: torch.from_numpy(array) for name, array in batch.items() if name in self._takes}
        with torch.inference_mode():
            logits: torch.Tensor = self._model(**tensors).logits
        return {LOGITS: logits.float().numpy()}


def open_torch(folder: Path, *, threads: int, base_folder: Path | None = None) -> Predictor:
    """The model of a Checkpoint folder, or of a LoraDelta folder as peft runs it.

    Args:
        folder: a checkpoint, or a PEFT folder with the `manifest.json` of its artifact.
        threads: of PyTorch, for the whole process; 0 leaves them as they are.
        base_folder: the delta's base; None: `folder` is a checkpoint.

    Raises: ModelError when it cannot be loaded.
    """
    if threads:
        torch.set_num_threads(threads)
    if base_folder is None:
        model = load_checkpoint(folder)
        return TorchPredictor(model, inputs_of(model))
    manifest = _manifest(folder)
    delta = load_delta(folder, base_folder=base_folder, task=manifest["task"], labels=manifest["labels"])
    return TorchPredictor(delta, inputs_of(delta.get_base_model()))


def inputs_of(model: torch.nn.Module) -> frozenset[str]:
    """The names that the model's `forward` takes."""
    return frozenset(inspect.signature(model.forward).parameters)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no manifest.json that says task and labels: it is no LoraDelta.") from error
