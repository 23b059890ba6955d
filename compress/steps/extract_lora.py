"""`extract_lora`: what fine-tuning has changed in a model, as a low-rank delta on the base that it started from."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from compress.chain.artifacts import Checkpoint, LoraDelta
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.base_model import Base, BaseStage, find_base
from compress.steps.exactly_one import one_required, said_one
from compress.steps.quantized_models import about_quantized

if TYPE_CHECKING:
    from compress.tuning.extracting import Extracted

WORDS = ("rank", "energy")


class ExtractLora(Step):
    """Cut the difference between a fine-tuned model and its base to a low rank (SVD), layer by layer."""

    model_config = ConfigDict(json_schema_extra=one_required(WORDS))

    step: Literal["extract_lora"]
    model: Input[Checkpoint]
    """The stage whose model was fine-tuned from the base; its head is saved whole."""
    base: Base
    """What it was before: a path, `package:NAME/FOLDER`, `hub:ORG/NAME@REVISION`, or `{stage: NAME}`."""
    rank: int | None = Field(default=None, ge=1, le=1024)
    """Of the update of every linear layer; or give `energy`."""
    energy: float | None = Field(default=None, gt=0, le=1)
    """The share of each layer's squared singular values that is kept, with the least rank that keeps it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        said_one(self, WORDS)
        return self

    def own_figures(self) -> tuple[str, ...]:
        """The share of the linear layers' difference that is kept; the share of all difference that lies elsewhere."""
        return ("energy_kept", "residue")

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """A model has no difference from itself; a quantized one differs everywhere."""
        cannot = "be compared with another weight by weight"
        yield from about_quantized(("model",), self.model.stage, earlier, cannot=cannot)
        if isinstance(self.base, BaseStage):
            yield from about_quantized(("base", "stage"), self.base.stage.stage, earlier, cannot=cannot)
        if isinstance(self.base, BaseStage) and self.base.stage.stage == self.model.stage:
            yield (
                ("base", "stage"),
                f"'{self.model.stage}' is the model itself: write the stage that it was trained from",
            )

    def run(self, workspace: Workspace) -> LoraDelta:
        """Extract, take over the head, write the PEFT folder; say what no delta can carry.

        Raises: ModelError when model and base do not belong together, or do not differ.
        """
        from compress.models.load import load_base, load_checkpoint, load_tokenizer
        from compress.models.save import save_delta
        from compress.tuning.extracting import extract, take_head
        from compress.tuning.updates import delta_of

        checkpoint, base = workspace.load(self.model), find_base(self.base, workspace)
        facts = checkpoint.manifest
        model = load_checkpoint(checkpoint.path)
        plain = load_base(base.folder, task=facts.task, labels=facts.labels)
        found = extract(model, plain, rank=self.rank, energy=self.energy)
        take_head(model, plain, head=found.head)
        delta = delta_of(plain, found.updates, head=found.head)
        save_delta(delta, load_tokenizer(checkpoint.path), workspace.out, base=base.title, max_length=facts.max_length)
        details = _details(found)
        workspace.progress.say(f"{self.name}: {details['said']}.")
        if found.lost:
            workspace.progress.warn(f"{self.name}: {_lost(found)}.")
        facts.derived(
            kind="LoraDelta", step=self.step, digest=checkpoint.digest, details=details, base=base.place,
            base_digest=base.digest, figures={"energy_kept": found.energy_kept, "residue": found.residue},
        ).write(workspace.out)  # fmt: skip
        return LoraDelta(workspace.out, "")


def _details(found: "Extracted") -> dict[str, Any]:
    ranks = [update.rank for update in found.updates.values()]
    said = (
        f"{len(ranks)} linear layers of rank {min(ranks)} to {max(ranks)} keep {found.energy_kept:.2%} of the squared "
        "difference between them"
    )
    return {
        "layers": len(ranks), "ranks": {"least": min(ranks), "most": max(ranks)}, "head": list(found.head),
        "lost": list(found.lost), "said": said,
    }  # fmt: skip


def _lost(found: "Extracted") -> str:
    """What no delta can carry, in words."""
    some = ", ".join(found.lost[:3]) + (f" and {len(found.lost) - 3} more" if len(found.lost) > 3 else "")
    return (
        f"the base's embeddings, biases and normalisation stay: {len(found.lost)} weights that differ are not carried "
        f"({some}), {found.residue:.2%} of the squared difference between the encoders"
    )
