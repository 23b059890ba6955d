"""The set in a process of its own, without a server: one text at a time. Run as a module; answers lines."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from compress.adapters.packing import pack
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.inference.adapter_predictor import open_adapter_session
from compress.inference.classifier import Prediction, answer
from compress.inference.text_encoder import TextEncoder

from .generator import without_collections
from .pool import Request, read_pool


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    requests = read_pool(options.pool)
    ask = opened(options.folder, threads=options.threads)
    print(json.dumps({"open": True}), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        with without_collections():
            numbers = range(wanted["first"], wanted["first"] + wanted["calls"])
            times_ms = [timed_ms(ask, requests[number % len(requests)]) for number in numbers]
        print(json.dumps({"times_ms": times_ms}), flush=True)


def opened(folder: Path, *, threads: int) -> Callable[[Request], Prediction]:
    """All adapters of the set in memory; what answers a request."""
    adapters = AdapterSetFolder(folder)
    names = adapters.names()
    tables = Tables(adapters.set_file, len(names) + 1)
    deltas = [adapters.read(name, adapters.latest(name)) for name in names]
    for slot, delta in enumerate(deltas, start=1):
        tables.write(slot, pack(delta, adapters.set_file))
    slots = {name: (slot, delta.facts.labels) for slot, (name, delta) in enumerate(zip(names, deltas, strict=True), 1)}
    session = open_adapter_session(folder, threads=threads)
    encoder = TextEncoder.load(folder / "base", max_length=adapters.set_file.max_length)

    def ask(request: Request) -> Prediction:
        slot, labels = slots[request.adapter]
        logits = session.predict(encoder.encode([request.text]), np.array([slot], dtype=np.int64), tables)
        return answer(logits[0, : len(labels)], task="text-classification", labels=labels)

    return ask


def timed_ms(ask: Callable[[Request], Prediction], request: Request) -> float:
    """One call."""
    started = time.perf_counter()
    ask(request)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
