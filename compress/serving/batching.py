"""Which of the waiting rows run next, together: a choice without a clock, so that nothing ever waits for company.

On a CPU a padded token costs as much as a real one: batching mixed lengths as they come is slower than one row at a
time. So the oldest row always runs, and those join it whose lengths are nearest, while little is padding.
"""

from collections.abc import Hashable, Sequence

SMALLEST_FILL = 0.85
"""Tokens / (rows x longest row), below which a batch is not worth its padding (docs/log.md)."""


def choose(lengths: Sequence[int], adapters: Sequence[Hashable], *, max_tokens: int, max_adapters: int) -> list[int]:
    """Positions of the rows that run next, ascending; the first, which is the oldest, is always among them.

    Args:
        lengths: tokens of the waiting rows, the oldest first; at least one.
        adapters: which adapter each needs.
        max_tokens: padding counted; the oldest runs alone when it has more.
        max_adapters: distinct ones in a batch, as many as there are slots for.
    """
    chosen, held = [0], {adapters[0]}
    longest = total = lengths[0]
    for row in sorted(range(1, len(lengths)), key=lambda row: abs(lengths[row] - lengths[0])):
        rows = len(chosen) + 1
        if rows * longest > max_tokens:
            break
        with_it = max(longest, lengths[row])
        fits = rows * with_it <= max_tokens and total + lengths[row] >= SMALLEST_FILL * rows * with_it
        if fits and (adapters[row] in held or len(held) < max_adapters):
            chosen.append(row)
            held.add(adapters[row])
            longest, total = with_it, total + lengths[row]
    return sorted(chosen)
