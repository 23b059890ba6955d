"""The folder of a set: the base's graph with adapter inputs, its tokenizer, the description, and every delta."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.adapters.set_file import Base, Group, HeadLayer, OwnHead, SetFile
from compress.chain.artifacts import LoraDelta
from compress.errors import AdapterError
from compress.steps.adapters.base import GRAPH, SetBase
from compress.steps.adapters.limits import Limits

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from compress.inference.text_encoder import Text

BASE = "base"
ROWS_TO_CHOOSE_FROM = 2_000  # the proofs ask a few of them, spread over their lengths
OF_A_HEAD = ("id2label", "label2id", "problem_type")  # keys of config.json that say what the answers mean


def make_set(
    base: SetBase,
    deltas: Mapping[str, LoraDelta],
    target: Path,
    *,
    limits: Limits,
    texts: "Sequence[Text]",
    slots: int,
    ort_lora: bool,
) -> SetFile:
    """Write the set to `target`, all but its manifest; its description.

    Args:
        base: the graph that the adapters are put on.
        deltas: by the name that each gets.
        target: an empty folder.
        limits: what the set takes, and what its deltas need.
        texts: real ones, to find the places of adapters in the graph by what it computes.
        slots: in memory at once when it is served.
        ort_lora: whether there is a graph for ONNX Runtime's own adapters too, and a file of each for it.

    Raises: AdapterError when a delta cannot be part of the set; ExportError when a layer is not in the graph.
    """
    from compress.models.load import load_checkpoint

    (target / BASE).mkdir()
    model = load_checkpoint(base.checkpoint)
    groups, head = _make_graph(base, model, target / BASE, limits, texts)
    facts = next(iter(deltas.values())).manifest
    set_file = SetFile(
        title=base.title,  # not the stage's name, which is no part of the key
        base=Base(title=base.title, digest=facts.base_digest, licence=facts.licence, scheme=base.scheme),
        max_rank=limits.max_rank, max_labels=limits.max_labels, max_length=limits.max_length, slots=slots,
        groups=groups, head=head, own_head=_own_head(base, most_labels=limits.max_labels),
    )  # fmt: skip
    set_file.write(target)
    _write_beside(base, set_file, model, target)
    if ort_lora:
        _make_ort_lora(target / BASE)
    _add_all(deltas, target)
    return set_file


def proof_texts(data: Path) -> "list[str] | list[tuple[str, str]]":
    """Real rows of a data set, validation before train, so that they are other ones."""
    from compress.data.rows import load_split, spread, texts_of

    split = next(split for split in ("validation", "test", "train") if (data / split).is_dir())
    return texts_of(spread(load_split(data, split), ROWS_TO_CHOOSE_FROM))


def _make_ort_lora(target: Path) -> None:
    from compress.exporting.adapters.ort_lora import make_ort_lora

    make_ort_lora(target)


def _add_all(deltas: Mapping[str, LoraDelta], target: Path) -> None:
    """Every delta as a first version."""
    from compress.adapters.lock import LOCK
    from compress.adapters.set_folder import ADAPTERS, AdapterSetFolder
    from compress.steps.adapters.ort_lora import onnx_adapters_of

    folder, derive = AdapterSetFolder(target), onnx_adapters_of(target)
    for name, delta in deltas.items():
        folder.add(name, delta.path, derive=derive)
    (target / ADAPTERS / LOCK).unlink(missing_ok=True)


def _make_graph(
    base: SetBase,
    model: "PreTrainedModel",
    target: Path,
    limits: Limits,
    texts: "Sequence[Text]",
) -> tuple[tuple[Group, ...], tuple[HeadLayer, ...]]:
    """`model.onnx` with adapter inputs at every layer that one of the deltas changes; its groups and head layers."""
    from compress.exporting.adapters.make import ROWS, make_set_base
    from compress.inference.text_encoder import TextEncoder

    layers = [name for name, _ in model.named_modules()]  # in the order of computation
    encoder, needs = TextEncoder.load(base.graph, max_length=limits.max_length), limits.needs.values()
    return make_set_base(
        base.graph / GRAPH, target / GRAPH, model=model, batch=encoder.encode(texts[:ROWS]),
        modules=_in_order({module for each in needs for module in each.modules}, layers),
        head=_in_order({module for each in needs for module in each.head}, layers),
        max_rank=limits.max_rank, max_labels=limits.max_labels,
    )  # fmt: skip


def _in_order(modules: set[str], layers: Sequence[str]) -> list[str]:
    """As the model has them; what it does not have comes last, to be refused by name."""
    known = {name: place for place, name in enumerate(layers)}
    return sorted(modules, key=lambda name: (known.get(name, len(known)), name))


def _write_beside(base: SetBase, set_file: SetFile, model: "PreTrainedModel", target: Path) -> None:
    """Tokenizer and configuration; labels and the head itself only where the base has one of its own."""
    from compress.adapters.delta import Layer
    from compress.adapters.own_head import write_own_head
    from compress.exporting.folder import copy_beside

    copy_beside(base.graph, target / BASE)
    if set_file.own_head is not None:
        found: dict[str, Any] = {layer.module: model.get_submodule(layer.module) for layer in set_file.head}
        head = {name: Layer(one.weight.detach().numpy(), one.bias.detach().numpy()) for name, one in found.items()}
        write_own_head(target, set_file, head)
        return
    config = json.loads((target / BASE / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in OF_A_HEAD}
    (target / BASE / "config.json").write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _own_head(base: SetBase, *, most_labels: int) -> OwnHead | None:
    if base.own is None:
        return None
    if len(base.own.labels) > most_labels:
        raise AdapterError(
            f"the base's own head has {len(base.own.labels)} labels, the adapters up to {most_labels}: write "
            f"`max_labels: {len(base.own.labels)}`."
        )
    return OwnHead(task=base.own.task, labels=base.own.labels, max_length=base.own.max_length)
