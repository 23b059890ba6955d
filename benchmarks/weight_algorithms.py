"""Round-to-nearest, HQQ and GPTQ at 4 bits against each other, on models and data that a pipeline made.

    python benchmarks/weight_algorithms.py --model NAME ONNX DATA [--model …] [--seeds 17 18 19] [--rows 128]

ONNX is the folder of a float, unfused OnnxModel, DATA that of its Dataset (`compress store` and report.json name them).
Embeddings stay float, so that only the weights of products differ. GPTQ's texts are drawn from the train split, once a
seed; accuracy and logits are read from the split that is measured. Prints Markdown; minutes, of which GPTQ takes most.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.chain.manifest import ModelManifest
from compress.data.rows import load_split, spread, targets_of, texts_of
from compress.exporting.folder import copy_beside
from compress.inference.onnx_predictor import MODEL, open_onnx
from compress.inference.predictor import Array, Batch
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.progress import Silent
from compress.quantization.algorithm import Algorithm
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.weight_only import quantize_weight_only

HEAD = (
    "| model | scheme | algorithm | accuracy | points below float | same answer as float | logits off by (mean) "
    "| seconds |\n|---|---|---|---|---|---|---|---|"
)
Quantize = Callable[[Path, Path, Algorithm, Sequence[Batch]], object]


@dataclass(frozen=True)
class Model:
    """A float model, and the rows that it is measured on."""

    name: str
    folder: Path
    data: Path
    split: str
    rows: int

    def encoder(self) -> TextEncoder:
        return TextEncoder.load(self.folder, max_length=ModelManifest.read(self.folder).max_length)

    def logits(self, folder: Path) -> Array:
        """Of the measured rows, by the model in `folder`."""
        texts = texts_of(spread(load_split(self.data, self.split), self.rows))
        return predict_all(
            open_onnx(folder, threads=0), self.encoder(), texts, batch_size=32, progress=Silent(), description=self.name
        )

    def targets(self) -> Array:
        return targets_of(spread(load_split(self.data, self.split), self.rows))

    def calibration(self, rows: int, seed: int) -> list[Batch]:
        """One text a batch, drawn from the train split."""
        train = load_split(self.data, "train")
        chosen = np.random.default_rng(seed).choice(len(train), size=min(rows, len(train)), replace=False)
        encoder = self.encoder()
        return [encoder.encode([text]) for text in texts_of(train.select(sorted(chosen)))]


def main() -> None:
    """Print one row for each way to make each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs=3, action="append", required=True, metavar=("NAME", "ONNX", "DATA"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--measured", type=int, default=100_000, help="rows that are measured, at most")
    parser.add_argument("--rows", type=int, default=128, help="texts that GPTQ looks at")
    parser.add_argument("--seeds", type=int, nargs="+", default=[17], help="of those texts")
    parser.add_argument("--block-size", type=int, default=32)
    options = parser.parse_args()
    schemes = schemes_of(options.block_size)
    print(HEAD, flush=True)
    nearer = []
    for name, folder, data in options.model:
        model = Model(name, Path(folder), Path(data), options.split, options.measured)
        wanted, targets = model.logits(model.folder), model.targets()
        print(f"| {name} | float | | {accuracy(wanted, targets):.4f} | | | | |", flush=True)
        for scheme, quantize in schemes.items():
            off: dict[str, list[float]] = {}
            for algorithm, batches in ways(model, options.rows, options.seeds):
                found, seconds = answers(model, quantize, algorithm, batches)
                off.setdefault(algorithm, []).append(float(np.abs(found - wanted).mean()))
                print(line(name, scheme, algorithm, found, wanted, targets, seconds), flush=True)
            nearer.append(np.mean(off["gptq"]) <= np.mean(off["rtn"]))
    print(f"\nGPTQ's logits are at least as near to float's as round-to-nearest's in {sum(nearer)} of {len(nearer)}.")


def schemes_of(block_size: int) -> dict[str, Quantize]:
    """The two schemes whose weights lie in blocks of 4 bits."""
    return {
        "weight_only": lambda source, made, algorithm, batches: quantize_weight_only(
            source, made, bits=4, block_size=block_size, algorithm=algorithm, calibration=batches, embedding_bits=None
        ),
        "dynamic_int8, weights in 4 bits": lambda source, made, algorithm, batches: quantize_dynamic_int8(
            source, made, per_token=True, weight_block_size=block_size, weight_algorithm=algorithm,
            calibration=batches, embedding_bits=None,
        ),
    }  # fmt: skip


def ways(model: Model, rows: int, seeds: Sequence[int]) -> Iterator[tuple[Algorithm, list[Batch]]]:
    """Each algorithm with the texts that it looks at."""
    yield "rtn", []
    yield "hqq", []
    yield from (("gptq", model.calibration(rows, seed)) for seed in seeds)


def answers(model: Model, quantize: Quantize, algorithm: Algorithm, batches: Sequence[Batch]) -> tuple[Array, float]:
    """Logits of the model made so, and the seconds that making it took."""
    with tempfile.TemporaryDirectory() as folder:
        copy_beside(model.folder, Path(folder))
        began = time.perf_counter()
        quantize(model.folder / MODEL, Path(folder) / MODEL, algorithm, batches)
        seconds = time.perf_counter() - began
        return model.logits(Path(folder)), seconds


def accuracy(logits: Array, targets: Array) -> float:
    """Share of rows whose highest logit is the label's."""
    return float((logits.argmax(axis=1) == targets).mean())


def line(name: str, scheme: str, algorithm: str, found: Array, wanted: Array, targets: Array, seconds: float) -> str:
    """One row of the table."""
    lost = 100 * (accuracy(wanted, targets) - accuracy(found, targets))
    same = float((found.argmax(axis=1) == wanted.argmax(axis=1)).mean())
    off = float(np.abs(found - wanted).mean())
    return (
        f"| {name} | {scheme} | {algorithm} | {accuracy(found, targets):.4f} | {lost:+.2f} | {same:.4f} | {off:.4f} "
        f"| {seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
