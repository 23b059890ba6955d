"""Ask a published bundle about texts; needs the light installation only (no torch).

python examples/predict.py runs/bert_edge/bundle "Shares fell sharply on Monday." "The match ended in a draw."
"""

import argparse
from pathlib import Path

from compress import load_bundle


def main() -> None:
    """Print each text's label, its probability and the text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("texts", nargs="+")
    options = parser.parse_args()
    classifier = load_bundle(options.bundle)
    for text, prediction in zip(options.texts, classifier.predict(options.texts), strict=True):
        if prediction.value is not None:
            print(f"{prediction.value:10.4f}  {text}")
        for label in prediction.labels:
            print(f"{label:20} {prediction.probabilities[label]:6.1%}  {text}")


if __name__ == "__main__":
    main()
