"""Tiny bases, peft adapters of different ranks and label counts on them, and the graphs of their sets."""

import atexit
import copy
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from compress.adapters.packing import pack
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_file import Base, SetFile
from compress.adapters.tables import Tables
from compress.chain.manifest import ModelManifest
from compress.exporting.adapters.make import make_set_base
from compress.exporting.lean.rewrite import make_lean
from compress.inference.adapter_predictor import AdapterSession, SlotPredictor, open_adapter_session
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of
from compress.models.heads import head_modules, set_head
from compress.models.load import load_checkpoint
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.task import Task
from tests.tiny import Family, tiny_checkpoint, tiny_onnx, tiny_texts

TEXTS = [*tiny_texts(rows=9)[0], "", "goal " * 40]
QUERY_AND_VALUE = ("query", "value", "q_lin", "v_lin", "attn.q", "attn.v")
RANKS_AND_LABELS = ((8, 3), (2, 5), (3, 2), (4, 1))
MAX_RANK, MAX_LABELS = 8, 5
INT8 = {"per_token": True}
INT4 = {"per_token": True, "weight_block_size": 32, "embedding_bits": 4}


@dataclass(frozen=True)
class TinySet:
    """A set folder (without adapters in it), its tables filled, and the peft models of slots 1, 2, …"""

    folder: Path
    set_file: SetFile
    session: AdapterSession
    tables: Tables
    peft: Sequence[PeftModel]
    encoder: TextEncoder

    @property
    def labels(self) -> list[int]:
        return [count for _, count in RANKS_AND_LABELS]

    def slot(self, slot: int) -> SlotPredictor:
        return SlotPredictor(self.session, self.tables, slot=slot, labels=self.labels[slot - 1])

    def reference(self, slot: int) -> TorchPredictor:
        return TorchPredictor(self.peft[slot - 1], inputs_of(self.peft[slot - 1].get_base_model()))


def tiny_set(
    folder: Path,
    family: Family = "bert",
    *,
    lean: bool = False,
    scheme=None,
    everything: bool = False,
    threads: int = 1,
) -> TinySet:
    """The set of four adapters on a tiny base, quantized with the options `scheme` of `quantize_dynamic_int8`."""
    model = tiny_model(family)
    (folder / "base").mkdir(parents=True)
    plain = tiny_onnx(folder / "plain", family)
    encoder = TextEncoder.load(plain, max_length=32)
    source = base_graph(plain, lean=lean, scheme=scheme)
    modules = linear_layers(model, everything=everything)
    groups, head = make_set_base(
        source, folder / "base" / "model.onnx", model=model, batch=encoder.encode(TEXTS), modules=modules,
        head=head_layers(model), max_rank=MAX_RANK, max_labels=MAX_LABELS,
    )  # fmt: skip
    set_file = SetFile(
        title="tiny", base=Base(title="tiny", digest="0" * 64), max_rank=MAX_RANK, max_labels=MAX_LABELS,
        max_length=32, groups=groups, head=head,
    )  # fmt: skip
    tables = Tables(set_file, 6)
    adapters = tiny_adapters(family, everything)
    for slot, home in enumerate(adapters.folders, start=1):
        tables.write(slot, pack(read_delta(home), set_file))
    session = open_adapter_session(folder, threads=threads)
    return TinySet(folder, set_file, session, tables, adapters.models, encoder)


def base_graph(folder: Path, *, lean: bool, scheme=None) -> Path:
    """The graph in `folder`, rewritten and quantized."""
    source = folder / "model.onnx"
    if lean:
        pad_id = TextEncoder.load(folder, max_length=32).pad_id
        made = folder / "lean.onnx"
        make_lean(source, made, pad_id=pad_id, one_text=True)
        source = made
    if scheme is not None:
        quantize_dynamic_int8(source, folder / "int8.onnx", **scheme)
        source = folder / "int8.onnx"
    return source


@cache
def tiny_model(family: Family) -> PreTrainedModel:
    """The classifier that `tiny_onnx` exports."""
    return load_checkpoint(tiny_checkpoint(_home() / "checkpoint", family))


@dataclass(frozen=True)
class Adapters:
    models: Sequence[PeftModel]
    folders: Sequence[Path]


@cache
def tiny_adapters(family: Family, everything: bool) -> Adapters:
    """Four of them, drawn at random, kept as `finetune_lora` keeps them."""
    home = _home()
    models = [_adapter(family, everything, seed, rank, labels) for seed, (rank, labels) in enumerate(RANKS_AND_LABELS)]
    folders = [home / str(number) for number in range(len(models))]
    for folder, model, (_, labels) in zip(folders, models, RANKS_AND_LABELS, strict=True):
        model.save_pretrained(folder)
        ModelManifest(
            kind="LoraDelta", task=_task(labels), labels=_labels(labels), max_length=32, dataset="0" * 64, base="tiny",
            base_digest="0" * 64, parameters=1,
        ).write(folder)  # fmt: skip
    return Adapters(models, folders)


def linear_layers(model: PreTrainedModel, *, everything: bool) -> list[str]:
    """Those of the encoder's layers: query and value, or all."""
    names = [
        name for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(model.base_model_prefix) and "pooler" not in name
    ]  # fmt: skip
    return names if everything else [name for name in names if name.endswith(QUERY_AND_VALUE)]


def head_layers(model: PreTrainedModel) -> list[str]:
    """Linear layers of the head."""
    return [
        name for head in head_modules(model) for name, module in model.get_submodule(head).named_modules(prefix=head)
        if isinstance(module, nn.Linear)
    ]  # fmt: skip


def _adapter(family: Family, everything: bool, seed: int, rank: int, labels: int) -> PeftModel:
    base = tiny_model(family)
    config = copy.deepcopy(base.config)
    set_head(config, task=_task(labels), labels=_labels(labels))
    with torch.random.fork_rng():
        torch.manual_seed(100 + seed)
        model = AutoModelForSequenceClassification.from_config(config)
        model.base_model.load_state_dict(base.base_model.state_dict())
        targets = linear_layers(model, everything=everything)
        wanted = LoraConfig(
            task_type=TaskType.SEQ_CLS, r=rank, lora_alpha=2 * rank, target_modules=targets,
            modules_to_save=list(head_modules(model)),
        )  # fmt: skip
        delta = get_peft_model(model, wanted).eval()
        with torch.no_grad():
            for name, weights in delta.named_parameters():
                if "lora_" in name or "modules_to_save" in name:
                    weights.normal_(std=0.2)
    return delta


def _task(labels: int) -> Task:
    return "text-regression" if labels == 1 else "text-classification"


def _labels(labels: int) -> tuple[str, ...]:
    return tuple(f"label {number}" for number in range(labels))


def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="tiny-adapters-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home
