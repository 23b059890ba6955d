"""A PEFT folder as a `Delta`, read with suspicion: it may come from anywhere. Knows peft's files, not peft.

`adapter_model.safetensors` holds `base_model.model.<layer>.lora_A.weight`, `….lora_B.weight`, and
`base_model.model.<module>.<layer>.weight`, `….bias` of the modules that were saved whole.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from compress.adapters.delta import Array, Delta, Layer, Update
from compress.adapters.facts import MANIFEST, read_facts
from compress.adapters.names import shown
from compress.adapters.peft_config import ADAPTER_CONFIG, PeftConfig, read_peft_config
from compress.adapters.tensors_file import read_tensors
from compress.errors import AdapterError

WEIGHTS = "adapter_model.safetensors"
PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth", "pytorch_model.bin")
DELTA_FILES = (ADAPTER_CONFIG, WEIGHTS, MANIFEST)
"""All that a delta needs; a version in a set has these, and what is derived from them."""

PREFIX = "base_model.model."
UPDATE = re.compile(r"(?P<module>[\w.]{1,512})\.lora_(?P<side>[AB])\.weight")
SAVED = re.compile(r"(?P<module>[\w.]{1,512})\.(?P<part>weight|bias)")


def read_delta(folder: Path, *, largest: int | None = None) -> Delta:
    """The delta in `folder`, checked as far as it can be without its base.

    Args:
        folder: as peft writes it, with its manifest.
        largest: bytes of weights; beyond, they are not read. None: as many as any delta may have.

    Raises: AdapterError when it is not a whole, plain LoRA delta of finite numbers: what was found, what was needed.
    """
    config, facts = read_peft_config(folder), read_facts(folder)
    updates, head = _sorted_out(_weights(folder, largest), config, folder / WEIGHTS)
    config.check_work(updates, folder / ADAPTER_CONFIG)
    return Delta(_updates(updates, config, folder / WEIGHTS), _head(head, folder / WEIGHTS), facts)


def _weights(folder: Path, largest: int | None) -> dict[str, Array]:
    try:
        return read_tensors(folder / WEIGHTS, largest=largest)
    except FileNotFoundError as error:
        if pickle := next((name for name in PICKLES if (folder / name).exists()), None):
            raise AdapterError(
                f"{folder} has its weights in {pickle}, a pickle, which can run code when it is read: "
                f"save the delta again with peft, which writes {WEIGHTS}."
            ) from error
        raise AdapterError(f"{folder} has no {WEIGHTS}: save_pretrained of peft makes one.") from error


def _sorted_out(
    tensors: Mapping[str, Array], config: PeftConfig, path: Path
) -> tuple[dict[str, dict[str, Array]], dict[str, dict[str, Array]]]:
    """`A` and `B` of each update; `weight` and `bias` of each saved layer."""
    updates: dict[str, dict[str, Array]] = {}
    head: dict[str, dict[str, Array]] = {}
    for name, values in tensors.items():
        inside = name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""
        if found := UPDATE.fullmatch(inside):
            updates.setdefault(found["module"], {})[found["side"]] = values
        elif (found := SAVED.fullmatch(inside)) and _is_saved(found["module"], config.modules_to_save):
            head.setdefault(found["module"], {})[found["part"]] = values
        else:
            raise AdapterError(
                f"{path}: the tensor {shown(name)} is neither a LoRA update of a linear layer nor part of "
                f"modules_to_save ({', '.join(config.modules_to_save) or 'none'}): only these can be served."
            )
    return updates, head


def _is_saved(module: str, saved: tuple[str, ...]) -> bool:
    """Whether `module` is one of `saved` or inside one; peft goes by the end of a module's name."""
    return any(f".{one}." in f".{module}." for one in saved)


def _updates(found: Mapping[str, Mapping[str, Array]], config: PeftConfig, path: Path) -> dict[str, Update]:
    if not found:
        raise AdapterError(f"{path} holds no LoRA update, so the adapter would change nothing: save the delta again.")
    return {module: _update(module, sides, config, path) for module, sides in sorted(found.items())}


def _update(module: str, sides: Mapping[str, Array], config: PeftConfig, path: Path) -> Update:
    if sides.keys() != {"A", "B"}:
        raise AdapterError(f"{path}: {module} has lora_{min(sides)} only: lora_A and lora_B belong together.")
    a, b, rank = sides["A"], sides["B"], config.rank(module)
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != rank or b.shape[1] != rank or 0 in (*a.shape, *b.shape):
        raise AdapterError(
            f"{path}: {module} has lora_A {a.shape} and lora_B {b.shape}, {ADAPTER_CONFIG} says rank {rank}, so needed "
            f"are ({rank}, inputs) and (outputs, {rank}): both files must be of one delta of linear layers."
        )
    return Update(a, b, config.scale(module))


def _head(found: Mapping[str, Mapping[str, Array]], path: Path) -> dict[str, Layer]:
    return {module: _layer(module, parts, path) for module, parts in sorted(found.items())}


def _layer(module: str, parts: Mapping[str, Array], path: Path) -> Layer:
    shapes = {part: values.shape for part, values in parts.items()}
    weight, bias = shapes.get("weight", ()), shapes.get("bias", ())
    if len(weight) != 2 or bias != (weight[0],) or 0 in weight:
        said = ", ".join(f"{part} {shape}" for part, shape in sorted(shapes.items()))
        raise AdapterError(
            f"{path}: {module}, of modules_to_save, has {said}: only linear layers with weight (outputs, inputs) and "
            "bias (outputs,) can differ between the adapters of a set."
        )
    return Layer(parts["weight"], parts["bias"])
