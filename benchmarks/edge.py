"""A pipeline from nothing, then what the command line costs: what docs/benchmarks.md says about the edge pipelines.

    .venv/bin/python benchmarks/edge.py pipelines/bert_edge.yaml [--folder DIR]

Runs the file in an empty folder (or goes on in DIR), watching the memory of its processes. Then `--help`, `check`, a
fully cached `run` and `predict` of one text are timed as whole processes: 7 times each, in turns.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

COMPRESS = [sys.executable, "-c", "from compress.cli import main; main()"]
TURNS = 7


def main() -> None:
    """Run, time, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--folder", type=Path, help="where to run; a fresh temporary folder by default")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    seconds, memory_gb = whole(["run", str(options.pipeline.resolve())], folder)
    name = yaml.safe_load(options.pipeline.read_text(encoding="utf-8"))["name"]
    report = json.loads((folder / "runs" / name / "report.json").read_text())
    print(f"{report['environment'].get('processor', '')}, {os.cpu_count()} cores\n")
    print(f"| run | {seconds:.0f} s |\n| peak memory of all its processes | {memory_gb:.2f} GB |\n")
    print(stages(report), end="\n\n")
    print(commands(options.pipeline.resolve(), folder, Path(report["published"] or folder)))


def whole(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and the peak memory of the process with all that it starts (10^9 bytes, looked at every half second)."""
    clock, peak = time.perf_counter(), 0
    process = psutil.Popen([*COMPRESS, *arguments], cwd=folder, stdout=sys.stderr)
    while process.poll() is None:
        peak = max(peak, memory(process))
        time.sleep(0.5)
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - clock, peak / 1e9


def memory(process: psutil.Process) -> int:
    """Resident bytes of a process and its children; pages that they share count for each."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


def stages(report: dict) -> str:
    """Every measured stage with its figures against the reference."""
    rows = [
        "| stage | accuracy | drop | size MB | latency against the reference | seconds |",
        "|---|---|---|---|---|---|",
    ]
    rows += [row(stage, report["reference"]) for stage in report["stages"] if stage["measures"] is not None]
    return "\n".join(rows)


def row(stage: dict, reference: str) -> str:
    """One stage."""
    primary = stage["measures"]["metrics"][stage["measures"]["primary"]]
    comparison = next((one for one in stage["comparisons"] if one["against"] == reference), None)
    drop = estimate(comparison["drops"]["accuracy"]) if comparison else ""
    ratios = ", ".join(map(speed_up, (comparison or {}).get("latency_ratios", [])))
    size = stage["measures"]["size_mb"]
    return (
        f"| {stage['name']} | {estimate(primary)} | {drop} | {size:.1f} | {ratios} | {stage['made_in_seconds']:.0f} |"
    )


def speed_up(ratio: dict) -> str:
    """One shape: how many times faster, and its interval."""
    return f"{ratio['batch_size']}x{ratio['length']}: {times_faster(ratio)}"


def times_faster(ratio: dict) -> str:
    """How many times, and the interval."""
    low, high = ratio["interval"]
    return f"{1 / ratio['value']:.2f} x ({1 / high:.2f}–{1 / low:.2f})"


def estimate(figure: dict) -> str:
    """Value and 95% interval."""
    low, high = figure["interval"]
    return f"{figure['value']:.4f} ({low:.4f} to {high:.4f})"


def commands(pipeline: Path, folder: Path, bundle: Path) -> str:
    """Whole-process times of the small commands, in turns."""
    asked = {
        "`--help`": ["--help"],
        "`check`": ["check", str(pipeline)],
        "`run`, fully cached": ["run", str(pipeline)],
        "`predict` one text": ["predict", str(bundle), "--text", "Shares fell sharply on Monday."],
    }
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(TURNS):
        for name, arguments in asked.items():
            clock = time.perf_counter()
            subprocess.run([*COMPRESS, *arguments], cwd=folder, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - clock)
    rows = [f"| {name} | {statistics.median(all_):.2f} s | {max(all_):.2f} s |" for name, all_ in seconds.items()]
    return "\n".join(["| command | median of 7 | slowest |", "|---|---|---|", *rows])


if __name__ == "__main__":
    main()
