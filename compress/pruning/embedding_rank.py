"""The word embedding factorised by a truncated singular value decomposition, its rank given, or found.

The rank is a number, or the least one that keeps a share of the energy (the squared singular values), or the largest
one within a size. Rows may count by how often their word occurs (Chen et al., "GroupReduce", NeurIPS 2018, section
3.2): the rank that is left is then spent on words that are read, not on rare ones. Knows models, no data set.

    W (V x d) = U S V';  the nearest matrix of rank r is U_r S_r V_r' (Eckart & Young 1936)

V comes from the eigenvectors of W'W (d x d) in float64, which for the 30,000 to 250,000 rows of a vocabulary takes a
fraction of the time of a decomposition of W.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.factorised import FactorisedEmbedding

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Spectrum:
    """What a table of word vectors is made of."""

    squares: Tensor
    """Squared singular values, falling, float64 (d,)."""
    directions: Tensor
    """The right singular vector of each, a column, float64 (d, d)."""

    @property
    def energy(self) -> Tensor:
        """The share that the first 1, 2, … d directions keep, float64 (d,)."""
        return self.squares.cumsum(0) / self.squares.sum()


def factorise_embedding(
    model: PreTrainedModel,
    *,
    rank: int | None = None,
    energy: float | None = None,
    size_mb: float | None = None,
    counts: Tensor | None = None,
) -> dict[str, Any]:
    """Put a FactorisedEmbedding in the place of the model's word embedding; what was found, for the manifest.

    Args:
        model: any with input embeddings; changed in place.
        rank: numbers of a looked-up row; or
        energy: the least share of the squared singular values that is kept; or
        size_mb: 10^6 bytes that the two factors may take in fp32 (in int8 they take a quarter).
        counts: how often each word occurs, (V,), positive; None: all words count the same.

    Raises: ModelError when the factors would not be smaller than the table, or it is factorised already.
    """
    embedding = _dense(model)
    table = embedding.weight.detach()
    spectrum = spectrum_of(table, counts)
    rank = _rank(spectrum, table, rank=rank, energy=energy, size_mb=size_mb)
    check_rank(rank, rows=table.size(0), width=table.size(1))
    factors = factorised(embedding, spectrum, rank)
    model.set_input_embeddings(factors)
    return _found(table, factors, spectrum, rank)


def spectrum_of(table: Tensor, counts: Tensor | None = None) -> Spectrum:
    """Singular values and right singular vectors of `table` (V, d), its rows counted `counts` (V,) times."""
    exact = table.double()
    weighted = exact if counts is None else exact * counts.double().unsqueeze(1)
    squares, directions = torch.linalg.eigh(exact.T @ weighted)  # rising
    return Spectrum(squares.flip(0).clamp(min=0), directions.flip(1))


def rank_for_energy(spectrum: Spectrum, energy: float) -> int:
    """The least rank that keeps `energy` (0 to 1) of the squared singular values."""
    return min(int((spectrum.energy < energy - 1e-12).sum()) + 1, len(spectrum.squares))


def rank_for_size(size_mb: float, *, rows: int, width: int) -> int:
    """The largest rank whose factors take `size_mb` 10^6 bytes or less in fp32.

    Raises: ModelError when not even rank 1 does.
    """
    rank = int(size_mb * 1e6) // (BYTES * (rows + width))
    if rank < 1:
        least = BYTES * (rows + width) / 1e6
        raise ModelError(
            f"size_mb: {size_mb:g} is too small for a vocabulary of {rows} words {width} wide: rank 1 already takes "
            f"{least:.3g}. Allow more, or prune the vocabulary first."
        )
    return rank


def check_rank(rank: int, *, rows: int, width: int) -> None:
    """Raises: ModelError when factors of that rank are no smaller than the table itself."""
    if rank * (rows + width) >= rows * width:
        most = (rows * width - 1) // (rows + width)
        raise ModelError(
            f"rank {rank} makes an embedding of {rows} x {width} no smaller ({rank * (rows + width)} numbers instead "
            f"of {rows * width}): nothing would be pruned. Ask for a rank of at most {most}."
        )


def factorised(embedding: nn.Embedding, spectrum: Spectrum, rank: int) -> FactorisedEmbedding:
    """The table's projection on its first `rank` directions, as two factors.

    Both carry the root of the singular values: so their gradients are of one size, and a row's numbers too, which 8
    bits need.
    """
    table, directions = embedding.weight.detach(), spectrum.directions[:, :rank]
    left = (
        table.double() @ directions
    )  # (V, r); a column is as long as its singular value, where all words count the same
    roots = left.norm(dim=0).sqrt().clamp(min=torch.finfo(torch.float32).tiny)
    made = FactorisedEmbedding(table.size(0), rank, table.size(1), padding_idx=embedding.padding_idx)
    with torch.no_grad():
        made.table.weight.copy_(left / roots)
        made.product.weight.copy_(directions * roots)
    return made.to(table.dtype)


def _rank(spectrum: Spectrum, table: Tensor, *, rank: int | None, energy: float | None, size_mb: float | None) -> int:
    """The one that was asked for."""
    if rank is not None:
        return rank
    if energy is not None:
        return rank_for_energy(spectrum, energy)
    assert size_mb is not None
    rows, width = table.shape
    return min(rank_for_size(size_mb, rows=rows, width=width), width)


def _dense(model: PreTrainedModel) -> nn.Embedding:
    embedding = model.get_input_embeddings()
    if isinstance(embedding, FactorisedEmbedding):
        raise ModelError(f"the word embedding is factorised already, with rank {embedding.rank}: leave this stage out.")
    if not isinstance(embedding, nn.Embedding):
        raise ModelError(f"the word embedding is a {type(embedding).__name__}, an nn.Embedding is needed.")
    return embedding


def _found(table: Tensor, made: FactorisedEmbedding, spectrum: Spectrum, rank: int) -> dict[str, Any]:
    rows, width = table.shape
    with torch.no_grad():
        error = float((made.weight - table).norm() / table.norm())
    return {
        "rank": rank, "rows": rows, "width": width, "energy_kept": _short(float(spectrum.energy[rank - 1])),
        "relative_error": _short(error), "parameters_before": rows * width, "parameters_after": rank * (rows + width),
        "size_mb_fp32": round(BYTES * rank * (rows + width) / 1e6, 3),
    }  # fmt: skip


def _short(value: float) -> float:
    """Six significant digits, for files."""
    return float(f"{value:.6g}")
