"""How many tokens a model takes, from its `config.json`; so that a shape beyond it is refused before anything runs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from compress.benchmarking.variants import Shape, Variant
from compress.errors import MeasurementError

OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"})  # count from pad_token_id + 1


def check_lengths(variants: Iterable[Variant], shapes: Sequence[Shape]) -> None:
    """Raises: MeasurementError when a shape is longer than a model has positions for."""
    for variant in variants:
        most = positions(variant.base_folder or variant.folder)
        for batch_size, length in shapes:
            if most is not None and length > most:
                raise MeasurementError(
                    f"'{variant.name}' takes {most} tokens at most, the shape [{batch_size}, {length}] has {length}: "
                    "choose a shorter one."
                )


def positions(folder: Path) -> int | None:
    """The longest text that the model takes, in tokens; None when its config does not say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    most = config.get("max_position_embeddings")
    if not isinstance(most, int) or most <= 0:
        return None
    if config.get("model_type") in OFFSET_POSITIONS:
        return most - (config.get("pad_token_id") or 0) - 1
    return most
