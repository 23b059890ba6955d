"""What can be wrong with the stages that `adapter_set` reads, as far as the file says it: before any work."""

from collections.abc import Iterator, Mapping

from compress.chain.step import Loc, Step
from compress.steps.base_model import BaseStage, base_of_stage, said, surely_different
from compress.steps.export_onnx import ExportOnnx
from compress.steps.finetune import Finetune, HeadOnly
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.quantize import Quantize
from compress.steps.quantized_models import about_quantized, is_quantized


def about_different_bases(deltas: Mapping[str, str], earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
    """Two deltas that were trained on different models.

    Args:
        deltas: the stage of each adapter.
        earlier: the stages above by name.
    """
    known = {name: base for name, stage in deltas.items() if (base := base_of_stage(stage, earlier)) is not None}
    first = next(iter(known), None)
    for name, base in known.items():
        if first is not None and surely_different(known[first], base):
            whose = f"'{name}' was trained on {said(base)}, '{first}' on {said(known[first])}"
            message = f"{whose}: a set has one base, so train them on the same one or make two sets"
            yield ("deltas", name), message


def about_ranks(
    deltas: Mapping[str, str], earlier: Mapping[str, Step], *, max_rank: int | None
) -> Iterator[tuple[Loc, str]]:
    """A rank that the set would not take."""
    trained = {name: earlier.get(stage) for name, stage in deltas.items()}
    ranks = {
        name: max(step.rank, *step.rank_pattern.values(), 0)
        for name, step in trained.items()
        if isinstance(step, FinetuneLora)
    }
    for name, rank in ranks.items():
        if max_rank is not None and rank > max_rank:
            yield ("max_rank",), f"max_rank {max_rank} is below rank {rank} of '{name}': raise it, or leave it out"


def about_base(
    name: str, deltas: Mapping[str, str], earlier: Mapping[str, Step], *, scheme_given: bool, advice: str
) -> Iterator[tuple[Loc, str]]:
    """A base stage that the deltas were not trained on, or one that is quantized otherwise than a set can be.

    Args:
        name: of the base stage.
        deltas: the stage of each adapter.
        earlier: the stages above by name.
        scheme_given: whether the set is to quantize it.
        advice: what to write for a scheme whose answers are the same in any batch.
    """
    if is_quantized(name, earlier):
        yield from about_quantized(
            ("base",), name, earlier, cannot="be the base of a set (`scheme` quantizes a float one)"
        )
        return
    way = list(_way(name, earlier))
    quantized = next((step for step in way if isinstance(step, Quantize)), None)
    if quantized is not None and scheme_given:
        yield ("scheme",), f"'{quantized.name}' is quantized already: leave scheme out, or name the float stage as base"
    if quantized is not None and not quantized.scheme.may_be_batch_invariant:
        found = f"'{quantized.name}' scales activations for a whole batch: answers would depend on other adapters' rows"
        yield ("base",), f"{found}; in that stage {advice}"
    if way and (problem := _not_theirs(way[-1], deltas, earlier)):
        yield ("base",), problem


def _way(name: str, earlier: Mapping[str, Step]) -> Iterator[Step]:
    """The stages from the base back to the checkpoint that it was exported from."""
    step = earlier.get(name)
    while step is not None:
        yield step
        step = earlier.get(step.model.stage) if isinstance(step, (Quantize, ExportOnnx)) else None


def _not_theirs(checkpoint: Step, deltas: Mapping[str, str], earlier: Mapping[str, Step]) -> str | None:
    """Why the deltas were not trained on the checkpoint's encoder."""
    for name, stage in deltas.items():
        base = base_of_stage(stage, earlier)
        if base is None or (isinstance(base, BaseStage) and base.stage.stage == checkpoint.name):
            continue
        untouched = isinstance(checkpoint, Finetune) and isinstance(checkpoint.strategy, HeadOnly)
        if isinstance(checkpoint, Finetune) and untouched and not surely_different(checkpoint.base, base):
            continue
        return (
            f"'{name}' was trained on {said(base)}, not on '{checkpoint.name}' ({checkpoint.step}): leave base out, or "
            f"train the deltas with `base: {{stage: {checkpoint.name}}}`"
        )
    return None
