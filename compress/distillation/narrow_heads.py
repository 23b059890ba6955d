"""Which attention heads a narrow student takes, and how a head becomes smaller.

A head is judged by what it adds to the residual stream: the variance of its context times its part of the output
matrix. It becomes smaller by the singular vectors of two products: queries with keys, which make its scores, and
context with the output matrix, which make what it says (both over real tokens, so directions that texts do not use go
first).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-6


@dataclass(frozen=True)
class HeadMaps:
    """From the teacher's heads, side by side, to the student's: each (student width, teacher width)."""

    query: Tensor
    key: Tensor
    value: Tensor
    back: Tensor
    """(teacher width, student width): from the student's context to the part of the teacher's that it stands for."""


def head_energies(context: Tensor, output: Tensor, *, heads: int) -> Tensor:
    """What each head adds to the stream: variance over tokens, summed over coordinates; float32 (heads,).

    Args:
        context: (tokens, heads x size), what goes into the output product.
        output: its weight, (width, heads x size).
        heads: side by side.
    """
    parts = zip(context.chunk(heads, dim=1), output.chunk(heads, dim=1), strict=True)
    return torch.stack([(one @ matrix.T).var(dim=0).sum() for one, matrix in parts])


def head_maps(
    queries: Tensor, keys: Tensor, context: Tensor, output: Tensor, *, heads: int, kept: Sequence[int], size: int
) -> HeadMaps:
    """The maps for the heads `kept`, each `size` wide.

    Args:
        queries: of the teacher, (tokens, heads x its size); so `keys` and `context`.
        keys: as `queries`.
        context: what goes into the output product.
        output: its weight, (width, heads x its size).
        heads: of the teacher.
        kept: which of them, counted from 0.
        size: of the student's heads, at most the teacher's.
    """
    width, theirs = queries.size(1), queries.size(1) // heads
    ours = len(kept) * size
    query, key, value = (torch.zeros(ours, width) for _ in range(3))
    maps = HeadMaps(query, key, value, back=torch.zeros(width, ours))
    for number, one in enumerate(kept):
        mine, place = slice(number * size, (number + 1) * size), slice(one * theirs, (one + 1) * theirs)
        if size == theirs:
            for whole in (maps.query, maps.key, maps.value, maps.back.T):
                whole[mine, place] = torch.eye(size)
            continue
        maps.query[mine, place], maps.key[mine, place] = smaller_scores(queries[:, place], keys[:, place], size)
        maps.value[mine, place], maps.back[place, mine] = smaller_context(context[:, place], output[:, place], size)
    return maps


def smaller_scores(queries: Tensor, keys: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Maps of queries and keys, (size, theirs) each, whose products come nearest to the scores of all tokens with all.

    The truncated singular value decomposition of Q Kᵀ; attention divides by the root of the size, so both are scaled by
    (size / theirs) to the power of a quarter.
    """
    of_queries, of_keys = _root(queries), _root(keys)
    left, values, right = torch.linalg.svd(of_queries @ of_keys.T)
    scale = (size / queries.size(1)) ** 0.25 * values[:size].sqrt()
    return _through(of_queries, left[:, :size] * scale), _through(of_keys, right[:size].T * scale)


def smaller_context(context: Tensor, output: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """A map of the context, (size, theirs), and back, (theirs, size), that lose least of context times output.

    The truncated singular value decomposition of C Wᵀ.
    """
    root = _root(context)
    left, _, _ = torch.linalg.svd(root @ output.T.double(), full_matrices=False)
    down = torch.linalg.solve(root, left[:, :size])  # (theirs, size)
    back = root.T @ left[:, :size]  # Cᵀ's part: C ≈ (C down) backᵀ
    return down.T.float(), back.float()


def _root(rows: Tensor) -> Tensor:
    """R, upper triangular, with RᵀR the mean of the rows' outer products; float64."""
    moments = (rows.T @ rows).double() / len(rows)
    moments.diagonal().add_(EPSILON * moments.diagonal().mean().clamp_min(1e-12))
    lower: Tensor = torch.linalg.cholesky(moments)
    return lower.T


def _through(root: Tensor, wanted: Tensor) -> Tensor:
    """M with x Mᵀ = y where x = u R and y = u · wanted: float32 (size, theirs)."""
    found: Tensor = torch.linalg.solve(root, wanted)
    return found.T.float()
