"""`scheme` of `train_quantized`: those whose arithmetic can be trained in, and what is remembered of it.

A graph quantized by another scheme than its weights were trained for loses what the training won, so `quantize` can
ask (`trained_for`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from compress.chain.manifest import ModelManifest
from compress.chain.step import Step, edges
from compress.steps.quantization.dynamic_int8 import DynamicInt8
from compress.steps.quantization.embeddings import bits_and_block_size
from compress.steps.quantization.static_int8 import StaticInt8

if TYPE_CHECKING:
    from compress.quantization.simulation.arithmetic import Activations, Arithmetic

WORD = "train_quantized"
TRAINABLE = ("dynamic_int8", "static_int8")
BETWEEN = frozenset({"export_onnx"})
"""Steps after which the weights are still those that were trained."""


def _known(said: Any) -> Any:
    kind = said.get("kind") if isinstance(said, Mapping) else None
    if isinstance(kind, str) and kind not in TRAINABLE:
        message = "'{kind}' cannot be trained in, only {known}: quantize by one of these, or leave this stage out"
        raise PydanticCustomError("scheme", message, {"kind": kind, "known": " and ".join(TRAINABLE)})
    return said


def _simulated(scheme: DynamicInt8 | StaticInt8) -> DynamicInt8 | StaticInt8:
    """Raises: PydanticCustomError: for words of a scheme that its training has no part in."""
    for word, advice in _not_simulated(scheme):
        raise PydanticCustomError("scheme", "`{word}` cannot be trained in: {advice}", {"word": word, "advice": advice})
    return scheme


def _not_simulated(scheme: DynamicInt8 | StaticInt8) -> list[tuple[str, str]]:
    found = []
    if isinstance(scheme, DynamicInt8):
        if scheme.weights is not None and scheme.weights.algorithm != "rtn":
            advice = "weights learn to be rounded to the nearest (`rtn`), and lie on that grid already; leave it out"
            found.append((f"weights.algorithm: {scheme.weights.algorithm}", advice))
        return found
    if scheme.ranges != "trained":
        found.append((f"ranges: {scheme.ranges}", "write `ranges: trained`, here and in quantize"))
    return found


TrainableScheme = Annotated[
    Annotated[DynamicInt8 | StaticInt8, Field(discriminator="kind")],
    BeforeValidator(_known),
    AfterValidator(_simulated),
]


def arithmetic_of(scheme: DynamicInt8 | StaticInt8, *, graph: Literal["plain", "lean"]) -> "Arithmetic":
    """The scheme as the simulation knows it, for the graph that the model will be exported as."""
    from compress.exporting.lean.first_token import KEPT
    from compress.quantization.simulation.arithmetic import Arithmetic

    bits, block_size = bits_and_block_size(embeddings=scheme.embeddings)
    weights = scheme.weights if isinstance(scheme, DynamicInt8) else None
    return Arithmetic(
        activations=_activations(scheme), per_channel=scheme.per_channel, reduce_range=scheme.reduced(),
        weight_block_size=weights.block_size if weights else None, embedding_bits=bits,
        embedding_block_size=block_size, positions_by_place=graph == "lean",
        first_tokens=KEPT if graph == "lean" else None,
    )  # fmt: skip


def _activations(scheme: DynamicInt8 | StaticInt8) -> "Activations":
    if isinstance(scheme, StaticInt8):
        return "by_range"
    return "by_token" if scheme.per_token else "by_batch"


def trained_for(model: ModelManifest) -> dict[str, Any] | None:
    """The scheme that an exported model's weights were trained for, as JSON; None when they were for none."""
    trained = next((one for one in reversed(model.lineage) if one.step not in BETWEEN), None)
    return trained.details.get("scheme") if trained is not None and trained.step == WORD else None


def trained_by(stage: str, earlier: Mapping[str, Step]) -> Step | None:
    """The step that made the weights that the stage's graph has; None where the stages above do not say.

    Args:
        stage: of a float graph.
        earlier: the stages above by name.
    """
    step = earlier.get(stage)
    while step is not None and step.step in BETWEEN:
        step = earlier.get(next((edge.stage for loc, edge in edges(step).items() if loc == ("model",)), ""))
    return step


def other_scheme(model: ModelManifest, scheme: Mapping[str, Any]) -> str | None:
    """Says so when `scheme` (as JSON) is not the one that the model's weights were trained for."""
    wanted = trained_for(model) or {}
    different = sorted(name for name in wanted if wanted[name] != scheme.get(name))
    if not different:
        return None
    return (
        f"its weights were trained for another scheme ({', '.join(different)}): quantize by the scheme of {WORD}, or "
        "train it for this one."
    )
