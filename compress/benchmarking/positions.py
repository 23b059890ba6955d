"""How many tokens a model takes, from its `config.json`; so that a shape beyond it is refused before anything runs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from compress.benchmarking.variants import Shape, Variant
from compress.errors import MeasurementError

COUNTED_FROM_0 = frozenset({"albert", "bert", "distilbert", "electra", "mobilebert"})
COUNTED_FROM_PADDING = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})  # the first is pad_token_id + 1


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
    """The longest text that the model takes, in tokens; None for families whose limit is none or is not known here."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    family, most = config.get("model_type"), config.get("max_position_embeddings")
    if not isinstance(most, int) or family not in COUNTED_FROM_0 | COUNTED_FROM_PADDING:
        return None
    return most if family in COUNTED_FROM_0 else most - config.get("pad_token_id", 1) - 1
