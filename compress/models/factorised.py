"""A word embedding as two factors: a narrow table that is looked up, and a product that widens what was found.

    word vectors (V x d)  ≈  table (V x r) · product (r x d)

So r · (V + d) numbers stand for V · d. Knows no model, and not where the factors come from
(`pruning/embedding_rank.py`).

Source: Lan et al., "ALBERT", 2020, section 3.1 (there both factors are trained from the start).
"""

import torch
from torch import Tensor, nn
from typing_extensions import override


class FactorisedEmbedding(nn.Module):
    """Stands where an `nn.Embedding` of `rows` words, `width` numbers each, stood.

    Args:
        rows: words, V.
        rank: numbers of a looked-up row, r.
        width: numbers of a word vector, d.
        padding_idx: the row whose gradient is zero, as in `nn.Embedding`.
    """

    def __init__(self, rows: int, rank: int, width: int, *, padding_idx: int | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, rank, padding_idx=padding_idx)
        self.product = nn.Linear(rank, width, bias=False)

    @override
    def forward(self, ids: Tensor) -> Tensor:
        """`ids`: integers, any shape; word vectors of the shape (*ids, width)."""
        vectors: Tensor = self.product(self.table(ids))
        return vectors

    @property
    def rank(self) -> int:
        """Numbers of a looked-up row."""
        return self.table.embedding_dim

    @property
    def num_embeddings(self) -> int:
        """Words; the name is `nn.Embedding`'s."""
        return self.table.num_embeddings

    @property
    def embedding_dim(self) -> int:
        """Numbers of a word vector; the name is `nn.Embedding`'s."""
        return self.product.out_features

    @property
    def padding_idx(self) -> int | None:
        """The row of the padding token; the name is `nn.Embedding`'s."""
        return self.table.padding_idx

    @property
    def weight(self) -> Tensor:
        """What an `nn.Embedding` would hold, (rows, width), computed: to be read, a change to it has no effect."""
        return self.table.weight @ self.product.weight.T

    def with_rows(self, kept: Tensor, *, padding_idx: int | None = None) -> "FactorisedEmbedding":
        """The embedding of only the words `kept`, int64 (words,), in that order; still factorised."""
        fewer = FactorisedEmbedding(len(kept), self.rank, self.embedding_dim, padding_idx=padding_idx)
        with torch.no_grad():
            fewer.table.weight.copy_(self.table.weight[kept])
            fewer.product.weight.copy_(self.product.weight)
        return fewer
