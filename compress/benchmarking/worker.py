"""The resident process of one variant: opens the model, then times calls when told to. Run as a module.

Reads one JSON object a line from stdin and answers with one a line on what was stdout when it started; file descriptor
1 is turned to stderr first, so that whatever a library prints, in C too, cannot get between the lines.

    {"do": "prepare", "shape": [8, 64]}                                -> {"warm_up_calls": 20}
    {"do": "turn", "shape": [8, 64], "seconds": [0.3, 3], "calls": 5}  -> {"times_ms": [1.9, ...]}

The first line that it sends, unasked, says that the model is open. An error ends it, with a traceback on stderr, and
so does the end of stdin. Only the model's call is timed: no tokenizer. It knows no other variant and no round.
"""

import argparse
import gc
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from compress.benchmarking.inputs import batches_of
from compress.benchmarking.variants import Shape, Variant
from compress.inference.predictor import Batch, Predictor
from compress.inference.text_encoder import Text, TextEncoder

WARM_UP_CALLS, WARM_UP_SECONDS = 20, 1.0  # whichever comes first, but
FEWEST_WARM_UP_CALLS = 3


class Session:
    """An open model and its inputs by shape."""

    def __init__(self, predictor: Predictor, folder: Path, texts: list[Text]) -> None:
        self._predictor, self._folder, self._texts = predictor, folder, texts
        self._inputs: dict[Shape, Iterator[Batch]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What one request gets."""
        shape: Shape = (request["shape"][0], request["shape"][1])
        if request["do"] == "prepare":
            return {"warm_up_calls": self._prepare(shape)}
        return {"times_ms": self._turn(shape, seconds=request["seconds"], calls=request["calls"])}

    def _prepare(self, shape: Shape) -> int:
        encoder = TextEncoder.load(self._folder, max_length=shape[1])
        batches = batches_of(encoder, self._texts, batch_size=shape[0], length=shape[1])
        self._inputs[shape] = itertools.cycle(batches)
        enough = time.perf_counter() + WARM_UP_SECONDS
        for calls in range(1, WARM_UP_CALLS + 1):
            self._call_ms(shape)
            if calls >= FEWEST_WARM_UP_CALLS and time.perf_counter() > enough:
                break
        return calls

    def _turn(self, shape: Shape, *, seconds: Sequence[float], calls: int) -> list[float]:
        """Times of as many calls as fit into `seconds[0]`, or of `calls` where that is more and `seconds[1]` allows."""
        gc.collect()
        gc.disable()
        # One or two calls that do not count: threads wake, caches fill.
        lead_in_ms = self._call_ms(shape)
        if lead_in_ms < 1000 * seconds[0]:
            self._call_ms(shape)
        start, times_ms = time.perf_counter(), [self._call_ms(shape)]
        while (elapsed := time.perf_counter() - start) < seconds[0] or (len(times_ms) < calls and elapsed < seconds[1]):
            times_ms.append(self._call_ms(shape))
        gc.enable()
        return times_ms

    def _call_ms(self, shape: Shape) -> float:
        batch = next(self._inputs[shape])
        start = time.perf_counter()
        self._predictor.predict(batch)
        return (time.perf_counter() - start) * 1000


def main() -> None:
    """Serve until stdin ends."""
    answers = take_stdout()
    options = parse_options()
    variant = Variant("this one", options.folder, options.runtime, options.base_folder)
    predictor = open_predictor(variant, threads=options.threads)
    texts = [text if isinstance(text, str) else tuple(text) for text in json.loads(options.texts.read_text("utf-8"))]
    session = Session(predictor, variant.model_folder, texts)
    send(answers, {"open": True})
    for line in sys.stdin:
        send(answers, session.answer(json.loads(line)))


def take_stdout() -> IO[str]:
    """What stdout was; from now on descriptor 1 is stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def send(answers: IO[str], answer: dict[str, Any]) -> None:
    """One line."""
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def parse_options() -> argparse.Namespace:
    """The command line, which only `workers.py` writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", choices=("torch", "onnxruntime"), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--base-folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--texts", type=Path, required=True, help="JSON list of texts or pairs")
    return parser.parse_args()


def open_predictor(variant: Variant, *, threads: int) -> Predictor:
    """The model in its runtime: PyTorch in fp32 with its default attention, or ONNX Runtime with its defaults."""
    if variant.is_set:
        from compress.benchmarking.mixed_adapters import open_mixed

        return open_mixed(variant.folder, threads=threads)
    if variant.runtime == "onnxruntime":
        from compress.inference.onnx_predictor import open_onnx

        return open_onnx(variant.folder, threads=threads)
    from compress.inference.torch_predictor import open_torch

    return open_torch(variant.folder, threads=threads, base_folder=variant.base_folder)


if __name__ == "__main__":
    main()
