"""What the ways to find a range are called; light enough for a configuration to import."""

from typing import Literal

RangeMethod = Literal["minmax", "entropy", "percentile"]
"""What was seen; cut at the threshold of least divergence; cut at a percentile."""
Ranges = dict[str, tuple[float, float]]
"""By tensor: the smallest and the largest value that are told from others."""
