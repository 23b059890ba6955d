"""What serving an adapter set costs, and what it saves: the table of docs/benchmarks.md.

    python benchmarks/serving.py in-process|throughput|memory|overhead|load|startup|swap --folder DIR [options]

The folder keeps what is made for it: a base with a random head, random deltas (rank 8, query and value, 5 labels, not
trained), sets, and merged models. Over HTTP everything is real: `compress serve` on loopback, requests from another
process over connections that are kept. Open loop: requests come at random times (Poisson) whether or not earlier ones
are answered, and their latency counts from when they were due.

Prints Markdown. Exit status: 0 all was reached, 1 something was not, 2 something could not be said, because other
processes were busy or the generator was too slow. Run it on a quiet machine.
"""

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from serving_parts import endurance, in_process, memory, overhead, startup, swap, throughput
from serving_parts.findings import Finding, status, table
from serving_parts.making import DEFAULT_MODEL, Made
from serving_parts.workloads import LENGTHS, Workload

from compress.benchmarking.machine import this_machine
from compress.benchmarking.neighbours import usable_cores
from compress.errors import CompressError
from compress.progress import Silent

LIBRARIES = ("onnxruntime", "numpy", "tokenizers", "uvicorn", "fastapi")
Result = tuple[str, list[Finding]]


def main() -> None:
    options = parse_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    made = Made(options.folder.resolve(), options.model, say)
    try:
        with tempfile.TemporaryDirectory(prefix="compress-serving-") as scratch:
            markdown, findings = options.measure(options, made, Path(scratch))
    except CompressError as error:
        sys.exit(f"{error}")
    print(f"{heading(options)}\n\n{markdown}\n\n{table(findings)}")
    sys.exit(status(findings))


def say(line: str) -> None:
    """Progress is no part of the result."""
    print(line, file=sys.stderr, flush=True)


def heading(options: argparse.Namespace) -> str:
    """Where and with what it was measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return f"`{options.part}` on {this_machine()}; {options.threads} threads of onnxruntime; {versions}."


def measure_in_process(options: argparse.Namespace, made: Made, _: Path) -> Result:
    return in_process.measure(
        made, schemes=options.schemes, lengths=options.lengths, threads=options.threads, rounds=options.rounds,
        progress=Silent(),
    )  # fmt: skip


def measure_throughput(options: argparse.Namespace, made: Made, scratch: Path) -> Result:
    timing = throughput.Timing(options.probe_seconds, options.seconds, options.rounds, options.first_rate)
    workloads = [
        Workload(popularity, LENGTHS[length], options.adapters)
        for length in options.lengths
        for popularity in options.popularity
    ]
    return throughput.measure(
        made, scheme=options.scheme, workloads=workloads, threads=options.threads, slots=options.slots, timing=timing,
        scratch=scratch, say=say,
    )  # fmt: skip


def measure_memory(options: argparse.Namespace, made: Made, scratch: Path) -> Result:
    return memory.measure(
        made, scheme=options.scheme, adapters=options.adapters, slots=options.slots, threads=options.threads,
        scratch=scratch,
    )  # fmt: skip


def measure_overhead(options: argparse.Namespace, made: Made, scratch: Path) -> Result:
    return overhead.measure(
        made, schemes=options.schemes, lengths=options.lengths, threads=options.threads, rounds=options.rounds,
        calls=options.calls, scratch=scratch,
    )  # fmt: skip


def measure_load(options: argparse.Namespace, made: Made, scratch: Path) -> Result:
    return endurance.measure(
        made, scheme=options.scheme, workload=Workload("zipf", LENGTHS["48"], options.adapters),
        minutes=options.minutes, rate=options.rate, probe_seconds=options.probe_seconds, first_rate=options.first_rate,
        threads=options.threads, slots=options.slots, scratch=scratch, say=say,
    )  # fmt: skip


def measure_startup(options: argparse.Namespace, made: Made, _: Path) -> Result:
    return startup.measure(
        made, scheme=options.scheme, adapters=options.adapters, threads=options.threads, rounds=options.rounds
    )


def measure_swap(options: argparse.Namespace, made: Made, scratch: Path) -> Result:
    return swap.measure(
        made, scheme=options.scheme, adapters=options.adapters, how=options.how, requests=options.requests,
        rate=options.rate, every_ms=options.every_ms, threads=options.threads, scratch=scratch,
    )  # fmt: skip


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    add_in_process(parts.add_parser("in-process", help="8 adapters in 8 rows against the base alone"))
    add_throughput(parts.add_parser("throughput", help="against one merged session per adapter"))
    add_memory(parts.add_parser("memory", help="1,000 adapters on disk, 64 slots in memory"))
    add_overhead(parts.add_parser("overhead", help="HTTP over in-process, one text at a time"))
    add_load(parts.add_parser("load", help="a long time at 80%% of capacity, every answer checked"))
    add_startup(parts.add_parser("startup", help="until it is ready, 100 adapters"))
    add_swap(parts.add_parser("swap", help="versions promoted under load"))
    for part in parts.choices.values():
        part.add_argument("--folder", type=Path, required=True, help="for what is made, kept for the next run")
        part.add_argument("--model", default=DEFAULT_MODEL, help="the pretrained encoder (default: %(default)s)")
        part.add_argument("--threads", type=int, default=usable_cores(), help="of onnxruntime (default: %(default)s)")
    return parser.parse_args()


def add_in_process(part: argparse.ArgumentParser) -> None:
    add_schemes(part)
    part.add_argument("--lengths", nargs="+", type=int, default=[32, 64, 128], help="tokens a row")
    part.add_argument("--rounds", type=int, default=9)
    part.set_defaults(measure=measure_in_process)


def add_throughput(part: argparse.ArgumentParser) -> None:
    add_set(part, adapters=64, slots=None)
    add_probes(part)
    part.add_argument("--popularity", nargs="+", choices=("uniform", "zipf"), default=["uniform", "zipf"])
    part.add_argument("--lengths", nargs="+", choices=tuple(LENGTHS), default=list(LENGTHS), help="tokens, at most")
    part.add_argument("--seconds", type=float, default=30, help="of the runs at the rates that were found")
    part.add_argument("--rounds", type=int, default=3, help="searches of each server, in turns")
    part.set_defaults(measure=measure_throughput)


def add_memory(part: argparse.ArgumentParser) -> None:
    add_set(part, adapters=1000, slots=64)
    part.set_defaults(measure=measure_memory)


def add_overhead(part: argparse.ArgumentParser) -> None:
    add_schemes(part)
    part.add_argument("--lengths", nargs="+", type=int, default=[16, 48, 128], help="tokens of the text")
    part.add_argument("--rounds", type=int, default=9)
    part.add_argument("--calls", type=int, default=200, help="in a turn")
    part.set_defaults(measure=measure_overhead)


def add_load(part: argparse.ArgumentParser) -> None:
    add_set(part, adapters=64, slots=None)
    add_probes(part)
    part.add_argument("--minutes", type=float, default=30)
    part.add_argument("--rate", type=float, help="requests a second; by default 80%% of what a search finds")
    part.set_defaults(measure=measure_load)


def add_startup(part: argparse.ArgumentParser) -> None:
    add_set(part, adapters=100, slots=None)
    part.add_argument("--rounds", type=int, default=7, help="starts")
    part.set_defaults(measure=measure_startup)


def add_swap(part: argparse.ArgumentParser) -> None:
    add_set(part, adapters=8, slots=None)
    part.add_argument("--how", choices=("pointer", "repository"), default="pointer", help="who promotes")
    part.add_argument("--requests", type=int, default=10_000)
    part.add_argument("--rate", type=float, default=100, help="requests a second")
    part.add_argument("--every-ms", type=float, default=100)
    part.set_defaults(measure=measure_swap)


def add_schemes(part: argparse.ArgumentParser) -> None:
    part.add_argument("--schemes", nargs="+", choices=("fp32", "int8"), default=["fp32", "int8"])


def add_set(part: argparse.ArgumentParser, *, adapters: int, slots: int | None) -> None:
    part.add_argument("--scheme", choices=("fp32", "int8"), default="int8", help="int8: per token")
    part.add_argument("--adapters", type=int, default=adapters)
    part.add_argument("--slots", type=int, default=slots, help="of the server; None: the set's (default: %(default)s)")


def add_probes(part: argparse.ArgumentParser) -> None:
    part.add_argument("--probe-seconds", type=float, default=8, help="of the runs that search the highest rate")
    part.add_argument("--first-rate", type=float, default=100, help="requests a second, where the search begins")


if __name__ == "__main__":
    main()
