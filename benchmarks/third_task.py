"""The chain of sentiment_edge_tiny on a task that it was not tuned on: is a sentence about a film for or against it?

    python benchmarks/third_task.py --folder DIR

10,605 sentences of film reviews rated by people for VADER (`unseen_sentiment.py` says where they come from), without
those between -0.5 and 0.5. Writes them as a CSV and the pipeline beside it with only its source exchanged, and runs it.
"""

import argparse
import csv
import subprocess
from pathlib import Path

import yaml
from edge import COMPRESS
from unseen_sentiment import SOURCES, archive, label_of, lines

CHAIN = Path(__file__).parents[1] / "pipelines" / "sentiment_edge_tiny.yaml"


def main() -> None:
    """Write and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where to run; keeps the store")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_sentences(folder / "films.csv", work=folder / "download")
    chain = yaml.safe_load(CHAIN.read_text(encoding="utf-8"))
    chain["name"] = "films_edge_tiny"
    chain["stages"][0]["source"] = {"kind": "csv", "train": "films.csv", "text": "text", "label": "label"}
    file = folder / "films_edge_tiny.yaml"
    file.write_text(yaml.safe_dump(chain, sort_keys=False), encoding="utf-8")
    subprocess.run([*COMPRESS, "run", str(file)], cwd=folder, check=True)


def write_sentences(file: Path, *, work: Path) -> None:
    """A CSV with the columns text and label: positive or negative."""
    held = archive(work).extractfile(f"hutto_ICWSM_2014/{SOURCES['film reviews']}_GroundTruth.txt")
    assert held is not None
    rated = lines(held.read().decode("utf-8", errors="replace"))
    rows = [(text, label) for text, rating in rated if (label := label_of(rating)) != "neutral"]
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([("text", "label"), *rows])


if __name__ == "__main__":
    main()
