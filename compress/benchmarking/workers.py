"""One resident process a variant, only one of them at work at a time.

An idle one must not disturb the one at work. Runtimes spin for a while after a call, and are left to, because
applications run them so; a turn begins when all others stand still, and what an idle one takes during it all the same
counts as a neighbour's.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from compress.benchmarking.neighbours import Watch, wait_until_idle
from compress.benchmarking.resident import Resident
from compress.benchmarking.rounds import Turn
from compress.benchmarking.variants import Shape, Variant
from compress.inference.text_encoder import Text
from compress.openmp import untouched

MODULE = "compress.benchmarking.worker"
TURN_SECONDS, TURN_CALLS = 0.3, 5  # as many calls as fit, and at least so many,
LONGEST_TURN_SECONDS = 3.0  # but no further call after this: a busy neighbour makes PyTorch fifty times slower
OPEN_SECONDS = ANSWER_SECONDS = 300.0  # a hung process is given up after this


class Workers:
    """Turns of resident processes (`rounds.Turns`)."""

    def __init__(self, residents: Mapping[str, Resident]) -> None:
        self._residents = dict(residents)

    def prepare(self, name: str, shape: Shape) -> None:
        """Make the inputs and warm up."""
        doing = f"warming up at {shape[0]} x {shape[1]} tokens"
        self._residents[name].ask({"do": "prepare", "shape": shape}, seconds=ANSWER_SECONDS, doing=doing)

    def take(self, name: str, shape: Shape) -> Turn:
        """Time calls of one variant while the others stand still."""
        resident, doing = self._residents[name], f"being timed at {shape[0]} x {shape[1]} tokens"
        request = {"do": "turn", "shape": shape, "seconds": [TURN_SECONDS, LONGEST_TURN_SECONDS], "calls": TURN_CALLS}
        wait_until_idle(other.pid for other in self._residents.values())
        watch = Watch([os.getpid(), resident.pid])
        times_ms = resident.ask(request, seconds=ANSWER_SECONDS, doing=doing)["times_ms"]
        return Turn(tuple(times_ms), watch.others_cores())


@contextmanager
def open_workers(variants: Sequence[Variant], texts: Sequence[Text], *, threads: int) -> Iterator[Workers]:
    """Processes with open models; all are ended with the block.

    They are started together and stay in memory together: a PyTorch process takes some 400 MB and its weights.

    Raises: MeasurementError when one cannot open its model.
    """
    with tempfile.TemporaryDirectory(prefix="compress-latency-") as scratch, ExitStack() as stack:
        texts_file = Path(scratch) / "texts.json"
        texts_file.write_text(json.dumps(list(texts)), encoding="utf-8")
        residents = {}
        for number, variant in enumerate(variants):
            resident = Resident(
                variant.name, command(variant, texts_file, threads=threads),
                environment=environment(threads), log=Path(scratch) / f"{number}.log",
            )  # fmt: skip
            stack.callback(resident.close)
            residents[variant.name] = resident
        for resident in residents.values():
            resident.receive(seconds=OPEN_SECONDS, doing="opening its model")
        yield Workers(residents)


def command(variant: Variant, texts_file: Path, *, threads: int) -> list[str]:
    """The worker's command line; -P, so that no file in the current folder is taken for a module."""
    words = [sys.executable, "-P", "-m", MODULE, "--runtime", variant.runtime, "--folder", str(variant.folder)]
    words += ["--threads", str(threads), "--texts", str(texts_file)]
    return words if variant.base_folder is None else [*words, "--base-folder", str(variant.base_folder)]


def environment(threads: int) -> dict[str, str]:
    """The user's, but `threads` for OpenMP and MKL, and no network."""
    count = str(threads)
    return {**untouched(os.environ), "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "HF_HUB_OFFLINE": "1"}
