"""`method: {kind: embedding_rank}`: the word embedding as a narrow table and a product."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from compress.frozen import Frozen
from compress.steps.exactly_one import one_required, said_one
from compress.steps.pruning.subject import Pruned, Subject

if TYPE_CHECKING:
    from torch import Tensor

WORDS = ("rank", "energy", "size_mb")


class EmbeddingRank(Frozen):
    """Factorise the word embedding (SVD): exactly one of `rank`, `energy` and `size_mb` says how far."""

    model_config = ConfigDict(json_schema_extra=one_required(WORDS))

    kind: Literal["embedding_rank"]
    rank: int | None = Field(default=None, ge=1, le=65_536)
    """Numbers that are kept of each word, before they are widened again."""
    energy: float | None = Field(default=None, gt=0, lt=1)
    """The share of the squared singular values that is kept, with the least rank that keeps it."""
    size_mb: float | None = Field(default=None, gt=0, le=100_000)
    """10^6 bytes of the factors in fp32 (in int8 they take a quarter), with the largest rank that fits."""
    words: Literal["equal", "frequency"] = "equal"
    """`frequency`: words count as often as the training text has them, so that rare ones lose more."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        said_one(self, WORDS)
        return self

    def apply(self, subject: Subject) -> Pruned:
        """Put the factors in the embedding's place."""
        from compress.pruning.embedding_rank import factorise_embedding

        details = factorise_embedding(
            subject.model, rank=self.rank, energy=self.energy, size_mb=self.size_mb,
            counts=_counts(subject) if self.words == "frequency" else None,
        )  # fmt: skip
        said = (
            f"the word embedding of {details['rows']} x {details['width']} has rank {details['rank']}, keeps "
            f"{details['energy_kept']:.1%} of its energy and {details['parameters_after']:,} of "
            f"{details['parameters_before']:,} numbers"
        )
        return Pruned(subject.model, subject.tokenizer, {**details, "words": self.words, "said": said})


def _counts(subject: Subject) -> "Tensor":
    from compress.pruning.word_counts import word_counts

    rows = len(subject.model.get_input_embeddings().weight)  # type: ignore[arg-type]
    return word_counts(subject.data, subject.tokenizer, rows=rows, max_length=subject.max_length)
