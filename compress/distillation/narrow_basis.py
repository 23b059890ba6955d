"""The directions of the teacher's residual stream that a narrow student keeps: an orthonormal basis (width, hidden).

Knows second moments only. `pca`: the directions with most variance over the states of all layers, the kind of rotation
of Ashkboos et al., "SliceGPT", 2024, section 3. `coordinates`: the single coordinates with most variance.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Projection = Literal["pca", "coordinates"]


class Moments:
    """Sums over states, taken batch by batch, so that no state has to be kept."""

    def __init__(self, width: int) -> None:
        self._count = 0
        self._sum = torch.zeros(width, dtype=torch.float64)
        self._products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, states: Tensor) -> None:
        """`states`: (tokens, width)."""
        self._count += len(states)
        self._sum += states.sum(dim=0, dtype=torch.float64)
        self._products += (states.T @ states).double()

    def covariance(self) -> Tensor:
        """(width, width), float64."""
        mean = self._sum / max(self._count, 1)
        return self._products / max(self._count, 1) - mean[:, None] * mean[None, :]


def basis(moments: Sequence[Moments], *, hidden: int, projection: Projection) -> Tensor:
    """Orthonormal columns, float32 (width, hidden); each place in the teacher counts the same.

    Args:
        moments: of the states at each place: what the embeddings and what each layer answers.
        hidden: how many columns; as many as the width: the identity.
        projection: principal components, or single coordinates in their order.
    """
    covariances = [one.covariance() for one in moments]
    mean = torch.stack([one / one.trace().clamp_min(1e-12) for one in covariances]).mean(dim=0)
    width = len(mean)
    if hidden == width:
        return torch.eye(width)
    if projection == "coordinates":
        kept = mean.diagonal().topk(hidden).indices.sort().values
        return torch.eye(width)[:, kept]
    vectors: Tensor = torch.linalg.eigh(mean).eigenvectors.flip(1)[:, :hidden]  # largest first
    signs = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()  # eigh leaves the sign open
    return (vectors * signs).float()
