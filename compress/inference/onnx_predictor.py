"""A `model.onnx` in ONNX Runtime on the CPU; never imports torch, so an edge box can run it.

A graph that takes no `attention_mask` cannot tell padding from text: it is asked for the rows of one length at a time,
without their padding.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from compress.errors import ModelError
from compress.inference.predictor import LOGITS, Array, Batch, Predictor

MODEL = "model.onnx"
MASK = "attention_mask"
WAITING_AWAKE_US = "300"
"""How long a server's threads wait for the next operator at full load before they sleep; by itself onnxruntime goes on
for some 40 ms."""
TAKEN = frozenset({"input_ids", "attention_mask", "token_type_ids"})
FAILURES = (
    runtime_errors.Fail, runtime_errors.InvalidArgument, runtime_errors.InvalidGraph, runtime_errors.InvalidProtobuf,
    runtime_errors.NoSuchFile, runtime_errors.NotImplemented, runtime_errors.RuntimeException,
)  # fmt: skip


class OnnxPredictor:
    """An open session.

    Raises: ModelError when it is not the graph of a classifier of texts.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.inputs = tuple(value.name for value in session.get_inputs())
        self.classes = _classes(session)
        """Width of the logits; None when the graph leaves it open."""
        unknown = set(self.inputs) - TAKEN
        if unknown:
            raise ModelError(f"the graph takes {', '.join(sorted(unknown))}; a text gives {', '.join(sorted(TAKEN))}.")

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, classes); inputs that the graph does not take are left out.

        Raises: ModelError when onnxruntime cannot run the graph on this batch.
        """
        if MASK in self.inputs or MASK not in batch or bool(batch[MASK].all()):
            return {LOGITS: self._run(batch)}
        return {LOGITS: self._run_by_length(batch)}

    def _run(self, batch: Batch) -> Array:
        try:
            logits: Array = self._session.run([LOGITS], {name: batch[name] for name in self.inputs})[0]
        except FAILURES as error:
            shape = " x ".join(map(str, batch[self.inputs[0]].shape))
            raise ModelError(f"onnxruntime {onnxruntime.__version__} cannot answer {shape} tokens: {error}") from error
        return logits

    def _run_by_length(self, batch: Batch) -> Array:
        """Rows of one length at a time, without their padding, which stands on the right."""
        lengths = batch[MASK].sum(axis=1)
        parts = {
            length: self._run({name: array[lengths == length, :length] for name, array in batch.items()})
            for length in np.unique(lengths)
        }
        first = next(iter(parts.values()))
        logits = np.empty((len(lengths), *first.shape[1:]), dtype=first.dtype)
        for length, part in parts.items():
            logits[lengths == length] = part
        return logits


def open_onnx(folder: Path, *, threads: int) -> Predictor:
    """The model of an OnnxModel or Bundle folder, with ONNX Runtime's default optimisations.

    Args:
        folder: holds `model.onnx`.
        threads: of one operator; 0 leaves the choice to ONNX Runtime (the physical cores).

    Raises: ModelError when there is no graph that this ONNX Runtime can run.
    """
    return OnnxPredictor(open_session(folder / MODEL, threads=threads))


def _classes(session: onnxruntime.InferenceSession) -> int | None:
    shapes = {value.name: value.shape for value in session.get_outputs()}
    if LOGITS not in shapes:
        raise ModelError(f"the graph answers {', '.join(shapes)}; a classifier's answers {LOGITS}.")
    width = shapes[LOGITS][-1] if shapes[LOGITS] else None
    return width if isinstance(width, int) else None


def open_session(file: Path, *, threads: int, server: bool = False) -> onnxruntime.InferenceSession:
    """The session on the CPU provider.

    Args:
        file: the graph.
        threads: as `open_onnx` has them.
        server: for a process that lives long, is asked for batches of any shape and does other work beside
            (docs/log.md): threads sleep between calls, and no plan of the memory is kept for every shape.

    Raises: ModelError as `open_onnx` does.
    """
    if not file.is_file():
        raise ModelError(f"{file} does not exist: an ONNX model is a folder with {MODEL}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings about unused initialisers help nobody here
    if server:
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.intra_op.spin_duration_us", WAITING_AWAKE_US)
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except FAILURES as error:
        raise ModelError(
            f"{file} cannot be run by onnxruntime {onnxruntime.__version__}: {error}. Make it again, or update."
        ) from error
