"""`combine_lora`: several LoRA deltas on one base as one, with the head of one of them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import LoraDelta
from compress.chain.manifest import Ancestor
from compress.chain.step import Input, Loc, Step, Workspace
from compress.errors import ModelError
from compress.frozen import Frozen
from compress.steps.base_model import base_of_stage, said, surely_different
from compress.steps.finetune_lora import FinetuneLora
from compress.tuning.combination_kinds import EQUAL_RANKS, NEEDS_DENSITY, Kind, Sign, unequal_ranks


class Weighted(Frozen):
    """One of the deltas."""

    stage: Input[LoraDelta]
    """The stage that made it."""
    weight: float = Field(default=1.0, ge=-100, le=100)
    """What its update is multiplied by; below 0 it is taken away."""


class Combination(Frozen):
    """How the updates are added; peft's `add_weighted_adapter` does it."""

    kind: Kind = "cat"
    """`cat`: exactly the weighted sum, ranks add up; `svd`: the same cut to `rank`; `linear`: factor by factor, a rough
    way; `ties`, `dare_…`, `magnitude_prune`: a share of the values, of the factors or (`…_svd`) of the products."""
    density: float | None = Field(default=None, gt=0, le=1)
    """The share of the values that `ties`, `dare_…` and `magnitude_prune` keep; they need it."""
    rank: int | None = Field(default=None, ge=1, le=1024)
    """Of the result of `svd` and the `…_svd` kinds; by default the largest that a delta has."""
    majority_sign: Sign | None = None
    """By what the `ties` kinds choose a value's sign: the `total` (by default), or the `frequency`."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        keeps_a_share = self.kind.startswith(NEEDS_DENSITY)
        if keeps_a_share != (self.density is not None):
            message = "{kind} needs `density`" if keeps_a_share else "{kind} keeps all values: leave `density` out"
            raise PydanticCustomError("density", message, {"kind": self.kind})
        if self.rank is not None and not self.kind.endswith("svd"):
            found = {"kind": self.kind}
            raise PydanticCustomError("rank", "the rank of {kind} follows from the deltas: leave `rank` out", found)
        if self.majority_sign is not None and "ties" not in self.kind:
            raise PydanticCustomError("sign", "{kind} chooses no sign: leave `majority_sign` out", {"kind": self.kind})
        return self


class CombineLora(Step):
    """Add several LoRA deltas on one base, with weights, and put the head of one of them on top."""

    step: Literal["combine_lora"]
    head: Input[LoraDelta]
    """The stage whose classification head, labels and data set the result has; two heads cannot be added."""
    deltas: Annotated[tuple[Weighted, ...], Field(min_length=2, max_length=64)]
    """What is added, each with its weight: `{stage: NAME, weight: 0.5}`."""
    method: Combination = Combination()
    """How it is added."""

    @model_validator(mode="after")
    def _something_is_added(self) -> Self:
        stages = [delta.stage.stage for delta in self.deltas]
        twice = next((stage for stage in stages if stages.count(stage) > 1), None)
        if twice is not None:
            found = {"stage": twice}
            raise PydanticCustomError("deltas", "'{stage}' is there twice: give it one weight, the sum", found)
        if not any(delta.weight for delta in self.deltas):
            raise PydanticCustomError("deltas", "every weight is 0: nothing would be left but the head")
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """Bases that are surely different, and ranks that the method cannot add."""
        head = base_of_stage(self.head.stage, earlier)
        for index, delta in enumerate(self.deltas):
            name = delta.stage.stage
            base = base_of_stage(name, earlier)
            if head is not None and base is not None and surely_different(head, base):
                message = f"'{name}' is on the base {said(base)}, '{self.head.stage}' on {said(head)}"
                yield ("deltas", index, "stage"), f"{message}: only deltas of one base can be added"
        ranks = {delta.stage.stage: _rank_of(earlier.get(delta.stage.stage)) for delta in self.deltas}
        known = {name: rank for name, rank in ranks.items() if rank is not None}
        if self.method.kind in EQUAL_RANKS and len(set(known.values())) > 1:
            yield ("method", "kind"), unequal_ranks(self.method.kind, known)

    def run(self, workspace: Workspace) -> LoraDelta:
        """Combine the encoder's adapters, take over the head, write the PEFT folder.

        Raises: ModelError when the deltas are on different bases, or cannot be added this way.
        """
        from compress.models.load import load_base, load_delta, load_tokenizer
        from compress.models.save import save_delta
        from compress.tuning.combining import combine
        from compress.tuning.updates import delta_of, saved_modules

        head, deltas = workspace.load(self.head), [workspace.load(delta.stage) for delta in self.deltas]
        _check_one_base({self.head.stage: head, **dict(zip(self._names(), deltas, strict=True))})
        facts, folder = head.manifest, workspace.base_of(head)
        updates = combine(
            load_base(folder, task=facts.task, labels=facts.labels),
            {name: delta.path for name, delta in zip(self._names(), deltas, strict=True)},
            [delta.weight for delta in self.deltas], kind=self.method.kind, density=self.method.density,
            rank=self.method.rank, sign=self.method.majority_sign or "total", seed=workspace.seed,
        )  # fmt: skip
        its = load_delta(head.path, base_folder=folder, task=facts.task, labels=facts.labels)
        title, modules = its.peft_config["default"].base_model_name_or_path, saved_modules(its)
        combined = delta_of(its.unload(), updates, head=modules)
        save_delta(combined, load_tokenizer(head.path), workspace.out, base=title or "", max_length=facts.max_length)
        rank = max(update.rank for update in updates.values())
        workspace.progress.say(f"{self.name}: {len(updates)} layers of rank up to {rank} out of {len(deltas)} deltas.")
        digests = dict.fromkeys(one.digest for one in (*deltas, head))
        parents = tuple(Ancestor(step=self.step, digest=digest) for digest in digests)
        details = {
            "method": self.method.model_dump(exclude_none=True), "layers": len(updates), "rank": rank,
            "deltas": [
                {"digest": one.digest, "weight": each.weight} for one, each in zip(deltas, self.deltas, strict=True)
            ],
        }  # fmt: skip
        facts.derived(
            kind="LoraDelta", step=self.step, digest=head.digest, details=details,
            lineage=(*facts.lineage, *parents),
        ).write(workspace.out)  # fmt: skip
        return LoraDelta(workspace.out, "")

    def _names(self) -> list[str]:
        return [delta.stage.stage for delta in self.deltas]


def _rank_of(step: Step | None) -> int | None:
    """The rank of all layers of the delta that a stage makes, if the file says it."""
    return step.rank if isinstance(step, FinetuneLora) and not step.rank_pattern else None


def _check_one_base(deltas: Mapping[str, LoraDelta]) -> None:
    """Raises: ModelError when two of them were trained on different bases."""
    (first, one), *others = deltas.items()
    for name, other in others:
        if other.manifest.base_digest != one.manifest.base_digest:
            raise ModelError(
                f"'{first}' was trained on base {one.manifest.base_digest[:12]}, '{name}' on "
                f"{other.manifest.base_digest[:12]}: only deltas of one base can be added; train them on the same one."
            )
