"""The graph of an adapter set in ONNX Runtime on the CPU: every row answered by its own adapter. Imports no torch.

The tables are not copied: the runtime reads the arrays' own memory, so what is written into a slot is live at the next
call, and nobody may write while a call reads it.
"""

from pathlib import Path

import numpy as np
import onnxruntime

from compress.adapters.packing import pack
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.errors import ModelError
from compress.inference.onnx_predictor import FAILURES, MODEL, open_session
from compress.inference.predictor import LOGITS, Array, Batch, Predictor

BASE = "base"
ADAPTER_INDEX = "adapter_index"
FEWEST = 2
"""Tokens. onnxruntime multiplies a single row by other code, which adds up in another order."""


class AdapterSession:
    """An open set graph. One thread at a time gives it tables; calls may come from several.

    Raises: ModelError when it is not the graph of an adapter set.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        names = [value.name for value in session.get_inputs()]
        if ADAPTER_INDEX not in names:
            raise ModelError(f"the graph takes no {ADAPTER_INDEX}: it is not the base of an adapter set.")
        self.inputs = tuple(names[: names.index(ADAPTER_INDEX)])
        """Those that a text gives."""
        self.tables = tuple(names[names.index(ADAPTER_INDEX) + 1 :])
        """Those that hold adapters."""
        self._bound: tuple[Tables, dict[str, onnxruntime.OrtValue]] | None = None

    def predict(self, batch: Batch, adapter_index: Array, tables: Tables) -> Array:
        """Logits float32 (batch, max_labels); labels that a row's adapter does not have are far below all others.

        Args:
            batch: inputs that the graph does not take are left out.
            adapter_index: int64 (batch,), each row's slot.
            tables: of the same set.

        Raises: ModelError when onnxruntime cannot run the graph on them.
        """
        given = {name: _two_tokens(batch[name]) for name in self.inputs} | {ADAPTER_INDEX: adapter_index}
        values = {name: _shared(array) for name, array in given.items()}
        try:
            (logits,) = self._session.run_with_ort_values([LOGITS], values | self._values(tables))
        except FAILURES as error:
            shape = " x ".join(map(str, batch["input_ids"].shape))
            raise ModelError(f"onnxruntime {onnxruntime.__version__} cannot answer {shape} tokens: {error}") from error
        answer: Array = logits.numpy()
        return answer

    def _values(self, tables: Tables) -> dict[str, onnxruntime.OrtValue]:
        """The tables as the runtime takes them, made once; kept with the arrays whose memory they share."""
        bound = self._bound
        if bound is None or bound[0] is not tables:
            missing = [name for name in self.tables if name not in tables.arrays]
            if missing:
                raise ModelError(f"the tables have no {missing[0]}, which the graph takes: they are of another set.")
            bound = self._bound = tables, {name: _shared(tables.arrays[name]) for name in self.tables}
        return bound[1]


class SlotPredictor:
    """One adapter of a set, as any other model."""

    def __init__(self, session: AdapterSession, tables: Tables, *, slot: int, labels: int) -> None:
        self._session, self._tables, self._slot, self._labels = session, tables, slot, labels

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, labels)."""
        index = np.full(len(batch["input_ids"]), self._slot, dtype=np.int64)
        return {LOGITS: self._session.predict(batch, index, self._tables)[:, : self._labels]}


def open_adapter_session(set_folder: Path, *, threads: int, server: bool = False) -> AdapterSession:
    """The graph of the set in `set_folder`.

    Args:
        set_folder: holds `base/model.onnx`.
        threads: of one operator; 0 leaves the choice to ONNX Runtime (the physical cores).
        server: as `open_session` has it.

    Raises: ModelError when there is no graph that this ONNX Runtime can run.
    """
    return AdapterSession(open_session(set_folder / BASE / MODEL, threads=threads, server=server))


def open_adapter(set_folder: Path, name: str, version: int | None = None, *, threads: int) -> Predictor:
    """One adapter of the set alone, for measuring.

    Args:
        set_folder: of the set.
        name: of the adapter.
        version: None: the latest.
        threads: as `open_adapter_session` has them.

    Raises: AdapterError when there is no such adapter, or it does not fit; ModelError as `open_adapter_session` does.
    """
    adapters = AdapterSetFolder(set_folder)
    delta = adapters.read(name, adapters.latest(name) if version is None else version)
    tables = Tables(adapters.set_file, slots=2)
    tables.write(1, pack(delta, adapters.set_file))
    session = open_adapter_session(set_folder, threads=threads)
    return SlotPredictor(session, tables, slot=1, labels=len(delta.facts.labels))


def _shared(array: Array) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def _two_tokens(array: Array) -> Array:
    """(batch, length), a text of one token with a masked one more."""
    missing = FEWEST - array.shape[1]
    return np.pad(array, ((0, 0), (0, missing))) if missing > 0 else array
