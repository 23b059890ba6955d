"""When requests come and whom they ask: Poisson arrivals, Zipf popularity. Plain arithmetic with a seed."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Popularity = Literal["uniform", "zipf"]


def poisson_times(rate: float, seconds: float, *, seed: int) -> Floats:
    """Seconds after the start at which requests come, ascending: gaps are exponential with mean 1 / rate.

    Nobody waits for an answer before asking (open loop), so a server that is too slow gets a queue, as in real life.
    """
    assert rate > 0, rate
    assert seconds > 0, seconds
    draw = np.random.default_rng(seed)
    expected = rate * seconds
    times = np.cumsum(draw.exponential(1 / rate, size=int(expected + 10 * np.sqrt(expected) + 20)))
    return times[times < seconds]


def shares(count: int, popularity: Popularity) -> Floats:
    """Of each adapter among the requests: equal, or by Zipf's law, 1 / rank, the first one most asked for."""
    weights = np.ones(count) if popularity == "uniform" else 1 / np.arange(1, count + 1)
    found: Floats = weights / weights.sum()
    return found


def draw_adapters(count: int, popularity: Popularity, *, requests: int, seed: int) -> NDArray[np.int64]:
    """Which adapter each request asks."""
    return np.random.default_rng(seed).choice(count, size=requests, p=shares(count, popularity))


def draw_lengths(shortest: int, longest: int, *, requests: int, seed: int) -> NDArray[np.int64]:
    """Tokens of each text, every length as likely as any other."""
    drawn: NDArray[Any] = np.random.default_rng(seed).integers(shortest, longest + 1, size=requests)
    return drawn.astype(np.int64)
