"""The shipped search in full, and its pick against the pipeline that was written by hand for the same data.

    python benchmarks/search.py [--folder DIR] [--trials N] [--pick "accuracy_drop <= 0.016, min size_mb"]

Runs pipelines/search.yaml in an empty folder (or goes on in DIR), chooses by the gate of
pipelines/sentiment_edge_tiny.yaml, runs that one too, then times both bundles side by side, a process each, in turns.
Prints Markdown: the search, its front, and pick and hand-made next to each other with the ratio of size x latency.
Two hours or more; run it on a quiet machine.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edge import whole

from compress.pipeline.bench import bench
from compress.progress import Silent
from compress.search.views.wording import value_text

PIPELINES = Path(__file__).parents[1] / "pipelines"
HAND_MADE = "sentiment_edge_tiny"
SEARCH = "sentiment_search"
SHAPES = [(1, 32), (1, 128), (8, 64)]


def main() -> None:
    """Search, run, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to run; a fresh temporary folder by default")
    parser.add_argument("--trials", type=int, help="by default those of the file")
    parser.add_argument("--pick", default="accuracy_drop <= 0.016, min size_mb")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["search", str(PIPELINES / "search.yaml"), "--pick", options.pick, "--write", str(folder / "best.yaml")]
    seconds, memory_gb = whole([*asked, *(["--trials", str(options.trials)] if options.trials else [])], folder)
    report = read(folder / "runs" / SEARCH / "search" / "search.json")
    trials = f"trials {report['seconds'] / 60:.1f}"
    print(f"{os.cpu_count()} cores; {seconds / 60:.1f} minutes ({trials}), {memory_gb:.2f} GB\n")
    print(searched(report), end="\n\n", flush=True)
    whole(["run", str(PIPELINES / f"{HAND_MADE}.yaml")], folder)
    print(compared(folder, Path(report["pick"]["run"])))


def read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def searched(report: dict[str, Any]) -> str:
    """What became of the trials, and the front."""
    states = [trial["state"] if trial["copied_from"] is None else "copied" for trial in report["trials"]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    names = [one["name"] for one in report["objectives"]]
    lines = [f"{counts}\n", f"| trial | {' | '.join(names)} | fields |", "|---" * (len(names) + 2) + "|"]
    for number in report["front"]:
        trial = next(one for one in report["trials"] if one["number"] == number)
        figures = " | ".join(f"{trial['figures'][name]:.4g}" for name in names)
        fields = ", ".join(f"{name.rpartition('.')[2]} {value_text(value)}" for name, value in trial["fields"].items())
        lines.append(f"| {number} | {figures} | {fields} |")
    return "\n".join(lines)


def compared(folder: Path, pick: Path) -> str:
    """Both on the test rows and by the clock."""
    runs = {"hand-made": folder / "runs" / HAND_MADE, "pick": folder / pick}
    bundles = [run / "bundle" for run in runs.values()]
    timed = bench(bundles, shapes=SHAPES, threads=2, rounds=7, texts=None, progress=Silent())
    lines = ["| | accuracy (test) | lost | MB | " + " | ".join(f"{b} × {t}" for b, t in SHAPES) + " |"]
    lines.append("|---" * (4 + len(SHAPES)) + "|")
    sizes = []
    for (name, run), entry in zip(runs.items(), timed.entries, strict=True):
        accuracy, lost, size = figures_of(read(run / "report.json"))
        times = " | ".join(f"{entry.latency.at(shape).p50_ms:.2f} ms" for shape in SHAPES)
        lines.append(f"| {name} | {accuracy:.4f} | {lost:+.4f} | {size:.3f} | {times} |")
        sizes.append(size)
    share = sizes[1] / sizes[0]
    products = [
        f"{share * one.value:.2f} ({share * one.interval[0]:.2f}–{share * one.interval[1]:.2f}) at {b} × {t}"
        for one, (b, t) in zip(timed.entries[1].ratios or (), SHAPES, strict=True)
    ]
    return "\n".join([*lines, f"\nSize × latency, the pick's of the hand-made one's: {', '.join(products)}."])


def figures_of(report: dict[str, Any]) -> tuple[float, float, float]:
    """Accuracy, what is lost against the teacher, and MB of the last model before the bundle."""
    stage = next(one for one in report["stages"] if one["name"] == "int8")
    against = next(one for one in stage["comparisons"] if one["against"] == "teacher")
    accuracy = stage["measures"]["metrics"]["accuracy"]["value"]
    return accuracy, against["drops"]["accuracy"]["value"], stage["measures"]["size_mb"]


if __name__ == "__main__":
    main()
