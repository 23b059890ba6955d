"""What a file can say wrong about models that bitsandbytes quantized: they answer and teach, and that is all."""

from collections.abc import Iterator, Mapping

from compress.chain.step import Loc, Step, edges
from compress.extras import installed

LIBRARY = "bitsandbytes"
QUANTIZES = "quantize_torch"


def is_quantized(stage: str, earlier: Mapping[str, Step]) -> bool:
    """Whether the stage's model is one that `quantize_torch` makes."""
    step = earlier.get(stage)
    return step is not None and step.step == QUANTIZES


def about_quantized(loc: Loc, stage: str, earlier: Mapping[str, Step], *, cannot: str) -> Iterator[tuple[Loc, str]]:
    """That the stage's model is quantized, if it is, and which one to name instead.

    Args:
        loc: the place that names it.
        stage: what is named there.
        earlier: the stages above by name.
        cannot: what is not possible with it, after "cannot".
    """
    if is_quantized(stage, earlier):
        (source,) = edges(earlier[stage]).values()
        yield loc, f"'{stage}' is quantized by bitsandbytes and cannot {cannot}: name '{source.stage}', its float model"


def about_missing_library(loc: Loc, said: str) -> Iterator[tuple[Loc, str]]:
    """That bitsandbytes is missing on a machine that trains; where torch is missing too, that is said first."""
    if installed("torch") and not installed(LIBRARY):
        yield loc, f"{said} needs {LIBRARY}, which is not installed: pip install 'compress-pipeline[train]' brings it"
