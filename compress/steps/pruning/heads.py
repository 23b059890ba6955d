"""`method: {kind: heads}`: attention heads taken out."""

from typing import Literal

from pydantic import Field

from compress.frozen import Frozen
from compress.steps.pruning.importance import Importance, Taylor, scores_of
from compress.steps.pruning.keep import Keep
from compress.steps.pruning.subject import Pruned, Subject


class Heads(Frozen):
    """Attention heads really removed: query, key, value and output matrices become smaller."""

    kind: Literal["heads"]
    """What is taken away."""
    keep: Keep
    """How many heads of the whole model stay, or which share below 1; each layer keeps at least one."""
    even: bool = False
    """The same number in every layer instead of the best of the whole model; `keep` then has to divide evenly."""
    importance: Importance = Field(default_factory=lambda: Taylor(kind="taylor"))
    """How the heads to keep are found."""

    def apply(self, subject: Subject) -> Pruned:
        """Raises: ModelError: for a family not known, or when nothing or too much would be taken away."""
        from compress.pruning.heads import check_heads, prune_heads

        check_heads(subject.model, keep=self.keep, even=self.even)
        scores = scores_of(self.importance, subject).heads
        found = prune_heads(subject.model, scores, keep=self.keep, even=self.even)
        subject.progress.say(f"{subject.name}: heads a layer {found['before']} became {found['after']}.")
        return Pruned(subject.model, subject.tokenizer, found)
