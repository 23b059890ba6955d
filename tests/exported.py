"""A model that was exported is not exported again, which costs seconds; for tests of what is made of graphs."""

import hashlib
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from compress.exporting import checkpoint


class Exported:
    """The real exporter's graphs, by all that it is given: weights, configuration and options."""

    def __init__(self) -> None:
        self._export = checkpoint.export_graph
        self._kept: dict[tuple[Any, ...], tuple[int, bytes]] = {}

    def __call__(self, model: PreTrainedModel, file: Path, **options: Any) -> int:
        asked = (_digest(model), repr(sorted(options.items())))
        if asked not in self._kept:
            opset = self._export(model, file, **options)
            self._kept[asked] = opset, file.read_bytes()
        opset, graph = self._kept[asked]
        file.write_bytes(graph)
        return opset


def _digest(model: PreTrainedModel) -> str:
    found = hashlib.sha256(f"{model} {model.training} {model.config.to_json_string(use_diff=False)}".encode())
    for name, weights in model.state_dict().items():
        found.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        found.update(weights.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
