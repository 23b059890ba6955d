"""A set that is served, made by hand: a real folder with real deltas, and a graph that a person can compute."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.inference.predictor import Array, Batch
from tests.adapters.hand_made import WIDTH, tiny_delta, tiny_set, tiny_tensors

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "goal", "match", "vote", "law", "rain", "sun")
EMBEDDING = np.random.default_rng(7).standard_normal((len(WORDS), WIDTH)).astype(np.float32)


def write_base(folder: Path) -> None:
    """Tokenizer and configuration of a model with ten words and two token types."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"vocab_size": len(WORDS), "pad_token_id": 0, "type_vocab_size": 2}
    (folder / "config.json").write_text(json.dumps(config))


def served_set(folder: Path, adapters: Mapping[str, int] | Sequence[str] = ("news",), **changes: object) -> Path:
    """A set with adapters; of a mapping, the value is the seed of the first version's weights."""
    path = tiny_set(folder, **changes)
    write_base(path / "base")
    seeds = adapters if isinstance(adapters, Mapping) else {name: seed for seed, name in enumerate(adapters)}
    for name, seed in seeds.items():
        AdapterSetFolder(path).add(name, tiny_delta(folder.parent / f"delta-{name}", seed=seed))
    return path


def logits_by_hand(ids: Sequence[int], seed: int) -> Array:
    """What an adapter drawn from `seed` answers to one row: the mean of its words through the adapter's head."""
    tensors = {name.removeprefix("base_model.model."): table for name, table in tiny_tensors(seed=seed).items()}
    hidden = EMBEDDING[list(ids)].mean(axis=0)
    hidden = tensors["classifier.dense.weight"] @ hidden + tensors["classifier.dense.bias"]
    return tensors["classifier.out_proj.weight"] @ hidden + tensors["classifier.out_proj.bias"]


class HandSession:
    """The graph that `logits_by_hand` describes, on tables. `hold` keeps the next run until `release`."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.reached, self._go_on = threading.Event(), threading.Event()
        self._go_on.set()

    def hold(self) -> None:
        self.reached.clear()
        self._go_on.clear()

    def release(self) -> None:
        self._go_on.set()

    def predict(self, batch: Batch, adapter_index: Array, tables: Tables) -> Array:
        self.shapes.append(batch["input_ids"].shape)
        self.reached.set()
        assert self._go_on.wait(30)
        mask = batch["attention_mask"][:, :, None]
        hidden = (EMBEDDING[batch["input_ids"]] * mask).sum(axis=1) / mask.sum(axis=1)
        for layer in (0, 1):
            weight, bias = tables.arrays[f"head_weight.{layer}"], tables.arrays[f"head_bias.{layer}"]
            hidden = np.einsum("bi,bio->bo", hidden, weight[adapter_index]) + bias[adapter_index]
        return hidden.astype(np.float32)
