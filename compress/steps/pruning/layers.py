"""`method: {kind: layers}`: whole encoder layers taken out."""

from typing import Literal

from pydantic import Field

from compress.frozen import Frozen
from compress.steps.pruning.subject import Pruned, Subject


class Layers(Frozen):
    """Whole encoder layers removed, those that are missed least on the validation rows."""

    kind: Literal["layers"]
    """What is taken away."""
    keep: int = Field(ge=1, le=1000)
    """How many layers stay."""
    greedy: bool = True
    """Measure again after each layer that is taken out, instead of once: better, and takes longer."""
    rows: int = Field(default=1000, ge=1, le=1_000_000)
    """Labelled validation rows that each measurement reads, spread evenly over the split."""

    def apply(self, subject: Subject) -> Pruned:
        """Raises: ModelError: for a family not known, or when no layer or every layer would go; DataError: no rows."""
        from compress.pruning.layers import prune_layers
        from compress.training.labelled_rows import labelled_rows
        from compress.training.layer_importance import check_layers, layers_to_keep

        check_layers(subject.model, keep=self.keep)
        rows = labelled_rows(
            subject.data, "validation", subject.tokenizer, max_length=subject.max_length, rows=self.rows
        )
        chosen = layers_to_keep(
            subject.model, rows, keep=self.keep, greedy=self.greedy, task=subject.task, progress=subject.progress,
            description=f"{subject.name}: importance of layers",
        )  # fmt: skip
        found = prune_layers(subject.model, chosen.kept)
        kept = ", ".join(map(str, chosen.kept))
        subject.progress.say(f"{subject.name}: of {found['before']} layers, {kept} stay.")
        return Pruned(subject.model, subject.tokenizer, {**found, "without": chosen.figures})
