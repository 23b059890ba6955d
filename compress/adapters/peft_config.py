"""`adapter_config.json` as peft writes it: how a delta's update is scaled, and what we cannot serve, refused by name.

Only plain LoRA is taken: a row's update is gathered and multiplied, so whatever else changes the computation would be
left out silently. A key that is not known here and says something is refused as well.
"""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compress.adapters.names import shown
from compress.adapters.patterns import by_pattern, check_patterns, check_work
from compress.adapters.reading import read_bounded
from compress.adapters.set_file import first_problem
from compress.errors import AdapterError

ADAPTER_CONFIG = "adapter_config.json"
LARGEST_BYTES = 4 << 20
LARGEST_RANK = 65_536

HARMLESS = frozenset({
    # where it was trained, and how
    "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version",
    "lora_dropout", "fan_in_fan_out", "megatron_core", "ensure_weight_tying",
    # first weights that leave the base alone are checked by name; their options matter no more
    "corda_config", "eva_config", "lora_ga_config", "loftq_config",
    # which layers: the tensors say it
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
    # options of what is refused when it is on
    "qalora_group_size", "runtime_config",
})  # fmt: skip
PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
"""Kinds of first weights that do not change the base's."""
OTHERS = {
    "use_dora": "DoRA also rescales the base's weights row by row",
    "lora_bias": "its update has a bias",
    "use_qalora": "QALoRA pools its input",
    "layer_replication": "it repeats layers of the base",
    "trainable_token_indices": "it changes the embeddings",
    "target_parameters": "it changes parameters that are not linear layers",
    "alora_invocation_tokens": "aLoRA changes only a part of the tokens",
}

Rank = Annotated[int, Field(ge=1, le=LARGEST_RANK)]
Alpha = Annotated[float, Field(gt=0, le=1e9)]


class PeftConfig(BaseModel):
    """What of a plain LoRA's configuration matters."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    r: Rank
    lora_alpha: Alpha
    use_rslora: bool = False
    """Scaled by alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski 2023)."""
    rank_pattern: dict[str, Rank] = Field(default_factory=dict, max_length=1024)
    alpha_pattern: dict[str, Alpha] = Field(default_factory=dict, max_length=1024)
    modules_to_save: tuple[str, ...] = Field(default=(), max_length=64)

    def rank(self, module: str) -> int:
        """Of the update of the layer called `module`."""
        return by_pattern(self.rank_pattern, module, self.r)

    def scale(self, module: str) -> float:
        """What `b @ a` of the layer called `module` is multiplied with."""
        rank = self.rank(module)
        alpha = by_pattern(self.alpha_pattern, module, self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def check_work(self, modules: Collection[str], path: Path) -> None:
        """Raises: AdapterError when `rank` and `scale` of all `modules` may take long; `path`: of the configuration."""
        for name, patterns in (("rank_pattern", self.rank_pattern), ("alpha_pattern", self.alpha_pattern)):
            check_work(f"{path}: {name}", patterns, modules)


def read_peft_config(folder: Path) -> PeftConfig:
    """The configuration in `folder`.

    Raises: AdapterError when there is none, it is broken, or it is not of a plain LoRA.
    """
    path = folder / ADAPTER_CONFIG
    said = _object(path)
    _check_kind(said, path)
    _check_plain(said, path)
    known = {key: value for key, value in said.items() if key in PeftConfig.model_fields and value is not None}
    try:
        config = PeftConfig.model_validate(known)
    except ValidationError as error:
        raise AdapterError(f"{path}: {first_problem(error)}. Save the delta again with peft.") from error
    for name, patterns in (("rank_pattern", config.rank_pattern), ("alpha_pattern", config.alpha_pattern)):
        check_patterns(f"{path}: {name}", patterns)
    return config


def _object(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(read_bounded(path, LARGEST_BYTES))
    except FileNotFoundError as error:
        raise AdapterError(
            f"{path.parent} is not a PEFT folder: it has no {ADAPTER_CONFIG}; save_pretrained of peft makes one."
        ) from error
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path} is not JSON: {error}. Save the delta again with peft.") from error
    if not isinstance(said, dict):
        raise AdapterError(f"{path} holds a {type(said).__name__}, not an object. Save the delta again with peft.")
    return said


def _check_kind(said: dict[str, Any], path: Path) -> None:
    kind = said.get("peft_type")
    if kind != "LORA":
        raise AdapterError(
            f"{path}: peft_type is {shown(str(kind))}, a set serves LORA only: train the task with `finetune_lora`."
        )


def _check_plain(said: dict[str, Any], path: Path) -> None:
    for key, value in said.items():
        if key in HARMLESS or key in PeftConfig.model_fields or key == "peft_type":
            continue
        if key == "bias":
            _check_bias(value, path)
        elif key == "init_lora_weights":
            _check_start(value, path)
        elif value:
            reason = OTHERS.get(key, "this version does not know what it changes")
            raise AdapterError(
                f"{path}: {shown(key)} is {shown(str(value))}, and only plain LoRA can be served: {reason}. "
                "Train the task again without it."
            )


def _check_bias(value: object, path: Path) -> None:
    if value != "none":
        raise AdapterError(
            f"{path}: bias is {shown(str(value))}: biases of the base were trained too, and the base is shared. "
            "Train the task again with bias: none."
        )


def _check_start(value: object, path: Path) -> None:
    """PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA take their first weights out of the base's."""
    if not isinstance(value, (str, bool, type(None))) or value not in PLAIN_STARTS:
        raise AdapterError(
            f"{path}: init_lora_weights is {shown(str(value))}, which changes the base's own weights: save the delta "
            "as plain LoRA with peft's save_pretrained(path_initial_model_for_weight_conversion=…)."
        )
