"""What a bundle's `config.json` says, read with suspicion: a bundle may come from anywhere.

Knows no runtime. Sizes are bounded before anything is read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from compress.errors import ConfigurationError
from compress.inference.onnx_predictor import MODEL
from compress.inference.text_encoder import CONFIG, TOKENIZER
from compress.task import Task

LARGEST_BYTES = {CONFIG: 16 << 20, TOKENIZER: 256 << 20, MODEL: 2 << 30}  # a protobuf ends at 2 GiB
LARGEST_LENGTH = 65_536
HOW_TO_MAKE = "a bundle is what the step `bundle` makes and a run publishes in runs/<pipeline>/bundle"


@dataclass(frozen=True)
class BundleConfig:
    """How texts become answers."""

    task: Task
    labels: tuple[str, ...]
    max_length: int


def read_bundle_config(folder: Path) -> BundleConfig:
    """The configuration of the bundle in `folder`, after looking that its files are there and of a sane size.

    Raises: ConfigurationError that says what is missing or wrong, and what to do.
    """
    _check_files(folder)
    config = _read(folder / CONFIG)
    missing = [key for key in ("task", "max_length", "id2label") if key not in config]
    if missing:
        raise ConfigurationError(
            f"{folder} is not a bundle: its {CONFIG} does not say {', '.join(missing)}; {HOW_TO_MAKE}."
        )
    return BundleConfig(_task(config, folder), _labels(config, folder), _max_length(config, folder))


def _check_files(folder: Path) -> None:
    if "\0" in str(folder) or not folder.is_dir():
        raise ConfigurationError(f"{str(folder)!r} is not a folder: {HOW_TO_MAKE}.")
    missing = [name for name in LARGEST_BYTES if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(f"{folder} is not a bundle: it has no {', no '.join(missing)}; {HOW_TO_MAKE}.")
    for name, largest in LARGEST_BYTES.items():
        size = (folder / name).stat().st_size
        if not 0 < size <= largest:
            raise ConfigurationError(
                f"{folder / name} has {size:,} bytes, a bundle's has 1 to {largest:,}: copy the bundle again."
            )


def _read(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}. Copy the bundle again.") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{file} holds a {type(config).__name__}, not an object: {HOW_TO_MAKE}.")
    return config


def _task(config: dict[str, Any], folder: Path) -> Task:
    known: tuple[Task, ...] = get_args(Task)
    found = [task for task in known if task == config["task"]]
    if not found:
        raise ConfigurationError(
            f"{folder / CONFIG}: task is {config['task']!r}, this version knows {', '.join(known)}: update it."
        )
    return found[0]


def _labels(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Labels in the order of the logits."""
    said = config["id2label"]
    if not isinstance(said, dict) or not said or set(said) != {str(index) for index in range(len(said))}:
        raise ConfigurationError(f"{folder / CONFIG}: id2label must name the outputs 0, 1, … without a gap.")
    return tuple(str(said[str(index)]) for index in range(len(said)))


def _max_length(config: dict[str, Any], folder: Path) -> int:
    said = config["max_length"]
    if type(said) is not int or not 1 <= said <= LARGEST_LENGTH:
        raise ConfigurationError(
            f"{folder / CONFIG}: max_length is {said!r}, it must be a number of tokens from 1 to {LARGEST_LENGTH}."
        )
    return said
