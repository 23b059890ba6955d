"""Refuses a shape that is longer than a model can read, before anything runs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from compress.benchmarking.variants import Shape, Variant
from compress.errors import MeasurementError
from compress.models.positions import most_tokens


def check_lengths(variants: Iterable[Variant], shapes: Sequence[Shape]) -> None:
    """Raises: MeasurementError when a shape is longer than a model has positions for."""
    for variant in variants:
        most = positions(variant.base_folder or variant.model_folder)
        for batch_size, length in shapes:
            if most is not None and length > most:
                raise MeasurementError(
                    f"'{variant.name}' takes {most} tokens at most, the shape [{batch_size}, {length}] has {length}: "
                    "choose a shorter one."
                )


def positions(folder: Path) -> int | None:
    """The longest text that the model takes, in tokens; None when it has no limit or no readable `config.json`."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return most_tokens(config) if isinstance(config, dict) else None
