"""Our int8 beside Microsoft Olive's and OpenVINO's, made of the same checkpoint, on the same texts, in turns.

    python benchmarks/peers.py --kit FOLDER --report runs/bert_edge/report.json --work FOLDER

The kit holds Olive's recipes, OpenVINO's and `compare.py`, which measures (its README says how); here are only the
glue and the verdict: at least as fast as the fastest of Olive's int8 graphs at every shape, and at most as large as the
smallest; with `--faster 1.3 --smaller 2` one of the two by that factor, the other no worse. OpenVINO has a line of its
own that decides nothing. Takes checkpoint, int8 model and test rows from the report of a run. The peers get a virtual
environment of their own in the work folder (1.8 GB), unless `--olive-python` names one. About ten minutes; run it on a
quiet machine. Exit 1 when the verdict is no.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import venv
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from compress.benchmarking.ratio import median_interval
from compress.chain.manifest import DatasetManifest
from compress.data.rows import load_split, targets_of, texts_of

OURS, TORCH = "compress int8", "PyTorch fp32"
CALIBRATION_TEXTS = 300
OPENVINO = "OpenVINO NNCF int8"
OLIVE = {"Olive int8 default": "int8_default", "Olive int8": "int8", "Olive int8 fused": "int8_fused"}
Runs = dict[str, dict[str, list[dict[str, Any]]]]  # shape -> variant -> one report a round


def main() -> None:
    options = parse_options()
    options.work.mkdir(parents=True, exist_ok=True)
    stages = {stage["name"]: stage for stage in json.loads(options.report.read_text("utf-8"))["stages"]}
    checkpoint, int8, data = (artifact(stages, name) for name in (options.checkpoint, options.int8, options.data))
    python = options.olive_python or build_environment(options.work / "venv", options.kit / "requirements.txt")
    write_texts(data, options.work / "test.csv", most=options.texts)
    write_texts(data, options.work / "calibration.csv", most=CALIBRATION_TEXTS, split="train")
    subprocess.run([python, options.kit / "make_olive.py", checkpoint, options.work / "olive"], check=True)
    openvino = [options.work / "openvino", options.work / "calibration.csv"]
    subprocess.run([python, options.kit / "make_openvino.py", checkpoint, *openvino], check=True)
    plan = options.work / "variants.yaml"
    plan.write_text(yaml.safe_dump(plan_of(options, python=python, checkpoint=checkpoint, int8=int8), sort_keys=False))
    runs = measure(options.kit / "compare.py", plan, python=python, log=options.work / "runs.jsonl")
    lines, reached = verdict(runs, faster=options.faster, smaller=options.smaller)
    print("\n".join([*lines, *beside_openvino(runs)]))
    sys.exit(0 if reached else 1)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kit", type=Path, required=True, help="folder with make_olive.py and compare.py")
    parser.add_argument("--report", type=Path, required=True, help="report.json of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder for the environment and everything made")
    parser.add_argument("--checkpoint", default="student", help="stage that made the checkpoint")
    parser.add_argument("--int8", default="int8", help="stage that made our int8 model of it")
    parser.add_argument("--data", default="news", help="stage that made the data set")
    parser.add_argument("--olive-python", type=Path, help="an interpreter that has the kit's requirements")
    parser.add_argument("--texts", type=int, default=400, help="test rows for accuracy and inputs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shapes", nargs="+", default=["1x128", "1x32", "8x64"], help="batch x tokens")
    parser.add_argument("--faster", type=float, default=1.0, help="times as fast as Olive's fastest at every shape …")
    parser.add_argument("--smaller", type=float, default=1.0, help="… or times as small as its smallest")
    options = parser.parse_args()
    for name in ("kit", "report", "work", "olive_python"):
        path = getattr(options, name)
        setattr(options, name, path and path.absolute())  # not resolved: a venv's python is a link
    return options


def artifact(stages: dict[str, Any], name: str) -> Path:
    """The folder that a stage of the report made."""
    made = stages.get(name, {}).get("artifact")
    if not made or not Path(made["path"]).is_dir():
        raise SystemExit(f"the report has no stage '{name}' whose artifact is still there; stages: {', '.join(stages)}")
    return Path(made["path"])


def build_environment(folder: Path, requirements: Path) -> Path:
    """Olive's own interpreter, installed once; a half-made environment is made again."""
    python, finished = folder / "bin" / "python", folder / "finished"
    if not finished.is_file():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        finished.touch()
    return python


def write_texts(data: Path, file: Path, *, most: int, split: str = "test") -> None:
    """Rows as the kit reads them: text and the label's name."""
    rows = load_split(data, split)
    rows = rows.select(range(min(most, len(rows))))
    labels = DatasetManifest.read(data).labels
    texts = texts_of(rows)
    if any(isinstance(text, tuple) for text in texts):
        raise SystemExit("the kit reads single texts, not pairs: choose another data set")
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["text", "label"])
        writer.writerows((text, labels[int(label)]) for text, label in zip(texts, targets_of(rows), strict=True))


def plan_of(options: argparse.Namespace, *, python: Path, checkpoint: Path, int8: Path) -> dict[str, Any]:
    """The kit's variants.yaml; our model runs in this interpreter, with its own tokenizer."""
    olive = [
        {"name": name, "runtime": "onnxruntime", "model": f"olive/{recipe}/model.onnx"}
        for name, recipe in OLIVE.items()
    ]
    openvino = {"name": OPENVINO, "runtime": "openvino", "model": "openvino/int8/model.xml"}
    ours = {
        "name": OURS, "runtime": "onnxruntime", "model": str(int8 / "model.onnx"), "python": sys.executable,
        "tokenizer": str(int8),
    }  # fmt: skip
    return {
        "texts": "test.csv", "accuracy_length": 128, "threads": options.threads, "rounds": options.rounds,
        "repeats": 100, "shapes": options.shapes, "defaults": {"python": str(python), "tokenizer": str(checkpoint)},
        "variants": [{"name": TORCH, "runtime": "torch", "model": str(checkpoint)}, *olive, openvino, ours],
    }  # fmt: skip


def measure(compare: Path, plan: Path, *, python: Path, log: Path) -> Runs:
    """Run the kit; its table goes to stdout, each measurement to `log`."""
    with log.open("w", encoding="utf-8") as stderr:
        status = subprocess.run([python, compare, plan], stderr=stderr, check=False).returncode
    if status:
        raise SystemExit(f"{compare.name} failed:\n{log.read_text('utf-8')[-2000:]}")
    return runs_of(log.read_text(encoding="utf-8"))


def runs_of(log: str) -> Runs:
    """The measurements that count: of tries in a row, the last."""
    reports = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    runs: Runs = defaultdict(lambda: defaultdict(list))
    for (variant, shape), tries in groupby(reports, lambda one: (one["variant"], f"{one['batch']}x{one['length']}")):
        runs[shape][variant].append(list(tries)[-1])
    return runs


def verdict(runs: Runs, *, faster: float = 1.0, smaller: float = 1.0) -> tuple[list[str], bool]:
    """A line a shape and one for the size; reached: none worse, and faster at every shape or smaller by the factor."""
    lines, speeds = [], []
    for shape, variants in runs.items():
        fastest = min(OLIVE, key=lambda name: median_ms(variants[name]))
        ratio, (low, high) = time_ratio(variants, fastest)
        speeds.append(ratio)
        state = "yes" if high <= 1 else "yes, within noise" if ratio <= 1 else "no, within noise" if low <= 1 else "no"
        lines.append(f"{shape}: {ratio:.2f} ({low:.2f}–{high:.2f}) of the time of {fastest}: {state}")
    sizes = {name: variants[name][0]["size_mb"] for variants in runs.values() for name in (OURS, *OLIVE)}
    smallest = min(OLIVE, key=lambda name: sizes[name])
    share = sizes[OURS] / sizes[smallest]
    lines.append(f"size: {sizes[OURS]:.1f} MB, {smallest} {sizes[smallest]:.1f} MB: {'yes' if share <= 1 else 'no'}")
    no_worse = max(speeds) <= 1 and share <= 1
    return lines, no_worse and (max(speeds) <= 1 / faster or share <= 1 / smaller)


def beside_openvino(runs: Runs) -> list[str]:
    """A line a shape."""
    found = {shape: time_ratio(variants, OPENVINO) for shape, variants in runs.items()}
    return [
        f"{shape}: {ratio:.2f} ({low:.2f}–{high:.2f}) of OpenVINO's" for shape, (ratio, (low, high)) in found.items()
    ]


def time_ratio(variants: dict[str, list[dict[str, Any]]], other: str) -> tuple[float, tuple[float, float]]:
    """Our time by another's, round by round: median and interval."""
    pairs = zip(variants[OURS], variants[other], strict=True)
    ratios = [own["p50_ms"] / theirs["p50_ms"] for own, theirs in pairs]
    return statistics.median(ratios), median_interval(ratios)


def median_ms(reports: list[dict[str, Any]]) -> float:
    return float(statistics.median(report["p50_ms"] for report in reports))


if __name__ == "__main__":
    main()
