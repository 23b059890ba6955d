"""`method: {kind: vocabulary}`: word pieces that the texts do not use, taken out of tokenizer and embedding."""

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from compress.frozen import Frozen
from compress.steps.pruning.subject import Pruned, Subject

Count = Annotated[int, Field(ge=1, le=10_000_000)]


def _used_or_count(value: object) -> str:
    """Which of the two was meant, so that a mistake is reported once."""
    return "used" if isinstance(value, str) else "count"


UsedOrCount = Annotated[
    Annotated[Literal["used"], Tag("used")] | Annotated[Count, Tag("count")], Discriminator(_used_or_count)
]


class Vocabulary(Frozen):
    """Keep the tokens that training and unlabelled text use, single characters and special tokens."""

    figures: ClassVar[tuple[str, ...]] = ("unknown_rate", "resplit_rate")
    """What gates of the stage may limit: shares of the held-out text's pieces."""

    kind: Literal["vocabulary"]
    """What is taken away."""
    keep: UsedOrCount = "used"
    """`used`, or how many tokens stay in all: those that cannot be missed, then the most frequent."""
    min_count: int = Field(default=1, ge=1, le=1_000_000)
    """Tokens that the texts use less often go."""
    characters: Literal["all", "used"] = "all"
    """Single characters that stay: `all`, so that nothing becomes unknown, or those of the texts, and ASCII."""

    def apply(self, subject: Subject) -> Pruned:
        """Rewrite tokenizer and embedding together.

        Raises: ModelError: when nothing would go, too little would stay, or a label would lose its words.
        """
        from compress.pruning.vocabulary.prune import prune_vocabulary

        made = prune_vocabulary(
            subject.model, subject.tokenizer, data=subject.data, unlabelled=subject.unlabelled,
            labels=() if subject.task == "text-regression" else subject.labels,
            most=None if self.keep == "used" else self.keep, min_count=self.min_count, characters=self.characters,
        )  # fmt: skip
        subject.progress.say(f"{subject.name}: {made.details['said']}.")
        if not made.figures:
            subject.progress.warn(
                f"{subject.name}: the data set has neither a validation nor a test split, so nobody knows how much of "
                "other text its vocabulary has."
            )
        return Pruned(made.model, made.tokenizer, made.details, made.figures)
