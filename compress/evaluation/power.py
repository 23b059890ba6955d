"""How many rows a limit needs: what `compress check` says before any work. Knows the standard normal, no data.

A gate can only say `pass` when the interval around the measured figure ends before the limit. With fewer rows than
here, even a model without any loss is most often `within_noise`. `docs/gates.md` has the measured shares.
"""

from math import ceil, sqrt

from compress.evaluation.intervals import Z, wilson

DISAGREEMENT = 0.04
"""Share of rows that exactly one of two models has right, assumed while nothing was measured."""


def half_width_of_drop(rows: int, *, disagreement: float = DISAGREEMENT) -> float:
    """Half the 95% interval of a paired drop of about zero (Bonett and Price 2012).

    Args:
        rows: of the split, at least 1.
        disagreement: share of rows that exactly one of the two models has right.
    """
    return Z * sqrt((disagreement * rows + 2) / (rows * (rows + 2)))


def rows_needed(limit: float, *, disagreement: float = DISAGREEMENT) -> int:
    """Fewest rows for which half the interval of a drop is at most `limit`: a lossless model passes half the time.

    Args:
        limit: of `max_drop`, a fraction above 0.
        disagreement: share of rows that exactly one of the two models has right.

    Raises:
        ValueError: for a limit that no number of rows can serve.
    """
    if limit <= 0:
        raise ValueError(f"a drop of {limit} can never be ruled out: the limit must be above 0")
    half = 1 - (Z / limit) ** 2 * disagreement / 2  # rows**2 + 2 * half * rows - 2 * (Z / limit)**2 >= 0
    return max(1, ceil(-half + sqrt(half**2 + 2 * (Z / limit) ** 2)))


def half_width_of_share(rows: int, *, share: float) -> float:
    """Half of Wilson's interval around a share, for `min` and `max` gates on accuracy, a recall or agreement.

    Args:
        rows: that the share is taken of, at least 1.
        share: expected, between 0 and 1.
    """
    low, high = wilson(share * rows, rows)
    return (high - low) / 2


def rows_for_share(margin: float, *, share: float) -> int:
    """Fewest rows for which half of Wilson's interval around `share` is at most `margin`, the distance from the limit.

    Raises:
        ValueError: for a margin that no number of rows can serve.
    """
    if margin <= 0:
        raise ValueError(f"a margin of {margin} can never be shown: it must be above 0")
    # The closed half-width, solved for rows: z**2 p q / rows + z**4 / (4 rows**2) = margin**2 (1 + z**2 / rows)**2
    a, b, c = margin**2, Z**2 * (2 * margin**2 - share * (1 - share)), Z**4 * (margin**2 - 0.25)
    return max(1, ceil((-b + sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)))
