"""One adapter of a set as ONNX Runtime's own `LoraAdapter` runs it: what a C++, C# or JavaScript program will see.

Beside `adapter_predictor`, which asks the same adapters through tables. Imports no torch.
"""

from pathlib import Path

import onnxruntime

from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import ModelError
from compress.inference.adapter_predictor import BASE
from compress.inference.onnx_predictor import FAILURES, open_session
from compress.inference.predictor import LOGITS, Array, Batch

ORT_LORA = "model_ort_lora.onnx"
ONNX_ADAPTER = "adapter.onnx_adapter"


class OrtLoraPredictor:
    """An open graph and the adapter that is active in every call."""

    def __init__(self, session: onnxruntime.InferenceSession, adapter: onnxruntime.LoraAdapter, *, labels: int) -> None:
        self._session, self._adapter, self._labels = session, adapter, labels
        texts = {value.name for value in session.get_inputs()}
        self._inputs = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in texts]
        self._options = onnxruntime.RunOptions()
        self._options.add_active_adapter(adapter)

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, labels). Raises: ModelError when onnxruntime cannot run the graph on this batch."""
        given = {name: batch[name] for name in self._inputs}
        try:
            logits: Array = self._session.run([LOGITS], given, self._options)[0]
        except FAILURES as error:
            shape = " x ".join(map(str, batch["input_ids"].shape))
            raise ModelError(f"onnxruntime {onnxruntime.__version__} cannot answer {shape} tokens: {error}") from error
        return {LOGITS: logits[:, : self._labels]}


def open_ort_lora(set_folder: Path, name: str, version: int | None = None, *, threads: int) -> OrtLoraPredictor:
    """One adapter of the set.

    Args:
        set_folder: of the set.
        name: of the adapter.
        version: None: the latest.
        threads: as `open_session` has them.

    Raises: AdapterError when there is no such adapter; ModelError when the set was made without `ort_lora`.
    """
    adapters = AdapterSetFolder(set_folder)
    version = adapters.latest(name) if version is None else version
    file = adapters.folder(name, version) / ONNX_ADAPTER
    session = open_session(set_folder / BASE / ORT_LORA, threads=threads)
    adapter = onnxruntime.LoraAdapter()
    try:
        adapter.Load(str(file))
    except (*FAILURES, RuntimeError) as error:  # a file that is missing or damaged is a plain RuntimeError
        raise ModelError(
            f"{file} cannot be read by onnxruntime {onnxruntime.__version__}: {error}. Make the set with "
            "`ort_lora: true`, or add the adapter again."
        ) from error
    return OrtLoraPredictor(session, adapter, labels=len(adapters.read(name, version).facts.labels))
