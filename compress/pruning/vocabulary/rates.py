"""How a pruned tokenizer reads text that its vocabulary was not chosen by, piece by piece of the old one.

Of all pieces that the old tokenizer cuts the texts into, whole texts, without special tokens:

- `unknown_rate`: the share that it knew and whose characters the new one reads as unknown. A piece that was unknown
  before does not count.
- `resplit_rate`: the share that is no piece any more, so that its characters are cut otherwise or are unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from compress.errors import ModelError


@dataclass(frozen=True)
class Tokenizers:
    """Before and after."""

    old: Tokenizer
    new: Tokenizer
    numbers: Mapping[int, int]
    """The new number of each old one that stayed."""
    old_unknown: int | None
    new_unknown: int | None

    def encoded(self, texts: Sequence[str]) -> Iterator[tuple[Encoding, Encoding]]:
        """Each text by both."""
        before = self.old.encode_batch(list(texts), add_special_tokens=False)
        after = self.new.encode_batch(list(texts), add_special_tokens=False)
        return zip(before, after, strict=True)

    def resplit(self, before: Encoding) -> int:
        """Pieces that are none any more."""
        return sum(number not in self.numbers for number in before.ids)

    def newly_unknown(self, before: Encoding, after: Encoding) -> int:
        """Pieces that were known, and lie in characters that are read as unknown now."""
        if self.new_unknown is None or self.new_unknown not in after.ids:
            return 0
        lost = [span for number, span in zip(after.ids, after.offsets, strict=True) if number == self.new_unknown]
        known = [span for number, span in zip(before.ids, before.offsets, strict=True) if number != self.old_unknown]
        return sum(any(start < to and since < end for since, to in lost) for start, end in known)


@dataclass(frozen=True)
class Rates:
    """What was found in some texts."""

    pieces: int
    """That the old tokenizer cuts the texts into."""
    unknown_rate: float
    resplit_rate: float


def rates(both: Tokenizers, texts: Iterable[Sequence[str]]) -> Rates:
    """The two shares over lists of texts; 0 when there is no piece at all.

    Raises: ModelError when a text of kept pieces is cut otherwise than before.
    """
    pieces = unknown = resplit = 0
    for some in texts:
        for text, (before, after) in zip(some, both.encoded(some), strict=True):
            _refuse_other_cut(both, text, before, after)
            pieces += len(before.ids)
            unknown += both.newly_unknown(before, after)
            resplit += both.resplit(before)
    return Rates(pieces, unknown / max(pieces, 1), resplit / max(pieces, 1))


def prove_same(both: Tokenizers, texts: Iterable[Sequence[str]]) -> None:
    """Raises: ModelError when a text of kept pieces is cut otherwise than before.

    It is how the stage proves its effect: a tokenizer with parts that look at its vocabulary would fail here.
    """
    for some in texts:
        for text, (before, after) in zip(some, both.encoded(some), strict=True):
            _refuse_other_cut(both, text, before, after)


def _refuse_other_cut(both: Tokenizers, text: str, before: Encoding, after: Encoding) -> None:
    same = [both.numbers.get(number) for number in before.ids]
    if None in same or both.old_unknown in before.ids or same == after.ids:
        return
    raise ModelError(
        f"the pruned tokenizer cuts {text[:60]!r} into {' '.join(after.tokens[:12])}, and before into "
        f"{' '.join(before.tokens[:12])}, though all its pieces were kept: leave the vocabulary as it is."
    )
