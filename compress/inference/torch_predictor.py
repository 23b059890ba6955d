"""A checkpoint, or a LoRA delta unmerged on its base, in PyTorch fp32 on the CPU; quantized ones on a GPU, if any."""

import inspect
import json
from pathlib import Path
from typing import Any

import torch

from compress.errors import ModelError
from compress.inference.predictor import LOGITS, Batch, Predictor
from compress.models.load import load_checkpoint, load_delta
from compress.models.quantized import Quantization, quantization_of
from compress.models.quantized_layers import on_device


class TorchPredictor:
    """An open module, in evaluation mode.

    Args:
        model: on `device`.
        takes: the inputs that it has.
        device: where it computes.
    """

    def __init__(self, model: torch.nn.Module, takes: frozenset[str], *, device: str = "cpu") -> None:
        self._model, self._takes, self._device = model, takes, device

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, classes); inputs that the model does not take are left out."""
        tensors = {
            name: torch.from_numpy(array).to(self._device) for name, array in batch.items() if name in self._takes
        }
        with torch.inference_mode():
            logits: torch.Tensor = self._model(**tensors).logits
        return {LOGITS: logits.float().cpu().numpy()}


def open_torch(folder: Path, *, threads: int, base_folder: Path | None = None, as_trained: bool = True) -> Predictor:
    """The model of a Checkpoint folder, or of a LoraDelta folder as peft runs it.

    Quantized by bitsandbytes, it computes on a CUDA device where there is one, since that is what it is for.

    Args:
        folder: a checkpoint, or a PEFT folder with the `manifest.json` of its artifact.
        threads: of PyTorch, for the whole process; 0 leaves them as they are.
        base_folder: the delta's base; None: `folder` is a checkpoint.
        as_trained: a delta that was trained on a quantized base runs on such a one; False: on the base in full
            precision, where a merged model or a set of adapters has it.

    Raises: ModelError when it cannot be loaded; MissingExtraError when bitsandbytes is needed and missing.
    """
    if threads:
        torch.set_num_threads(threads)
    if base_folder is None:
        model = load_checkpoint(folder, to_answer=True)
        return opened(model, inputs_of(model), quantized=quantization_of(model) is not None)
    manifest = _manifest(folder)
    held = Quantization.of_base(manifest.get("details") or {}) if as_trained else None
    delta = load_delta(
        folder, base_folder=base_folder, task=manifest["task"], labels=manifest["labels"], quantized=held
    )
    return opened(delta, inputs_of(delta.get_base_model()), quantized=held is not None)


def opened(model: torch.nn.Module, takes: frozenset[str], *, quantized: bool) -> TorchPredictor:
    """The model where it computes: the CPU, but for a quantized one a CUDA device if there is one."""
    device = "cuda" if quantized and torch.cuda.is_available() else "cpu"
    return TorchPredictor(on_device(model, device), takes, device=device)


def inputs_of(model: torch.nn.Module) -> frozenset[str]:
    """The names that the model's `forward` takes."""
    return frozenset(inspect.signature(model.forward).parameters)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no manifest.json that says task and labels: it is no LoraDelta.") from error
