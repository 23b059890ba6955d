"""Each part of a chain alone, and the chain with each part left out: accuracy, size and latency in one table.

    python benchmarks/ablation.py pipelines/bert_edge_tiny.yaml --folder DIR [--only NAME …]

Works on chains with the stages teacher, words, student, onnx, int8 and edge. Every variant is a pipeline of its own on
one store, so what two variants share is made once; run it again and only what is missing is made. The latency of a
variant is measured in turns with the PyTorch teacher. Half an hour or more; run it on a quiet machine.
"""

import argparse
import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from edge import COMPRESS, estimate, speed_up

Chain = dict[str, Any]
Change = Callable[[Chain], None]
PER_BATCH = {"kind": "dynamic_int8"}


def main() -> None:
    """Run every variant, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where to run; keeps the store")
    parser.add_argument("--only", nargs="+", help="variants by name")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chain = yaml.safe_load(options.pipeline.read_text(encoding="utf-8"))
    print("| variant | accuracy | drop | size MB | latency against the teacher |\n|---|---|---|---|---|", flush=True)
    for name, changes in VARIANTS.items():
        if options.only is None or name in options.only:
            print(row(name, run(variant(chain, name, changes), options.folder)), flush=True)


def variant(chain: Chain, name: str, changes: list[Change]) -> Chain:
    """The chain without gates and with the changes made."""
    made = copy.deepcopy(chain)
    made["name"] = "ablation_" + re.sub(r"\W+", "_", name)
    for one in made["stages"]:
        one.pop("gates", None)
    for change in changes:
        change(made)
    # a gate that everything passes: it names what latency is measured against
    stage(made, "edge")["gates"] = {
        "against": "teacher",
        "max_drop": {"accuracy": 1.0},
        "max_ratio": {"latency_ms": 10},
    }
    return made


def run(chain: Chain, folder: Path) -> dict[str, Any]:
    """The report of a run."""
    file = folder / f"{chain['name']}.yaml"
    file.write_text(yaml.safe_dump(chain, sort_keys=False), encoding="utf-8")
    subprocess.run([*COMPRESS, "run", str(file)], cwd=folder, check=True, stdout=sys.stderr)
    return json.loads((folder / "runs" / chain["name"] / "report.json").read_text(encoding="utf-8"))


def row(name: str, report: dict[str, Any]) -> str:
    """The bundle's figures."""
    edge = report["stages"][-1]
    compared = next(one for one in edge["comparisons"] if one["against"] == "teacher")
    ratios = ", ".join(map(speed_up, compared["latency_ratios"]))
    figures = edge["measures"]["metrics"]["accuracy"], compared["drops"]["accuracy"]
    return (
        f"| {name} | {estimate(figures[0])} | {estimate(figures[1])} | {edge['measures']['size_mb']:.2f} | {ratios} |"
    )


def stage(chain: Chain, name: str) -> dict[str, Any]:
    """The stage of that name."""
    return next(one for one in chain["stages"] if one["name"] == name)


def without_words(chain: Chain) -> None:
    """The teacher's whole vocabulary."""
    stage(chain, "student")["teacher"] = "teacher"
    chain["stages"].remove(stage(chain, "words"))


def as_wide(chain: Chain) -> None:
    """A student as wide as the teacher."""
    stage(chain, "student")["student"] = {"layers": stage(chain, "student")["student"]["layers"]}


def as_deep(chain: Chain) -> None:
    """A student with all layers of the teacher."""
    stage(chain, "student")["student"]["layers"] = 6


def by_labels(chain: Chain) -> None:
    """The student learns the labels alone."""
    stage(chain, "student")["objectives"] = [{"kind": "hard_labels"}]


def random_weights(chain: Chain) -> None:
    """A narrow student that starts from nothing."""
    stage(chain, "student")["student"]["initial"] = "random"


def without_student(chain: Chain) -> None:
    """The teacher itself, with its own or with fewer words."""
    has_words = any(one["name"] == "words" for one in chain["stages"])
    chain["stages"].remove(stage(chain, "student"))
    stage(chain, "onnx")["model"] = "words" if has_words else "teacher"


def plain(chain: Chain) -> None:
    """The ordinary graph."""
    stage(chain, "onnx").pop("graph", None)


def per_batch(chain: Chain) -> None:
    """One scale for a batch's activations."""
    stage(chain, "int8")["scheme"] = PER_BATCH


def in_float(chain: Chain) -> None:
    """Not quantized."""
    chain["stages"].remove(stage(chain, "int8"))
    stage(chain, "edge")["model"] = "onnx"


VARIANTS: dict[str, list[Change]] = {
    "the whole chain": [],
    "without fewer words": [without_words],
    "without narrowing": [as_wide],
    "without fewer layers": [as_deep],
    "without projected weights": [random_weights],
    "without distillation, labels alone": [by_labels],
    "without the lean graph": [plain],
    "without per-token scales": [per_batch],
    "without quantization": [in_float],
    "none: the teacher in ONNX": [without_words, without_student, plain, in_float],
    "fewer words alone": [without_student, plain, in_float],
    "student alone": [without_words, plain, in_float],
    "lean graph alone": [without_words, without_student, in_float],
    "int8 alone": [without_words, without_student, plain, per_batch],
    "per-token int8 alone": [without_words, without_student, plain],
}

if __name__ == "__main__":
    main()
