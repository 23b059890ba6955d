"""The directions of the teacher's residual stream that a narrow student keeps: an orthonormal basis (width, hidden).

Knows covariances only. `pca`: the directions with most variance over the states of all layers, the kind of rotation
of Ashkboos et al., "SliceGPT", 2024, section 3. `coordinates`: the single coordinates with most variance.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Projection = Literal["pca", "coordinates"]


def covariance(states: Tensor) -> Tensor:
    """Of states (tokens, width): (width, width), float64, over the number of tokens."""
    mean = states.sum(dim=0, dtype=torch.float64) / len(states)
    return (states.T @ states).double() / len(states) - mean[:, None] * mean[None, :]


def basis(covariances: Sequence[Tensor], *, hidden: int, projection: Projection) -> Tensor:
    """Orthonormal columns, float32 (width, hidden); each place in the teacher counts the same.

    Args:
        covariances: of the states at each place: what the embeddings and what each layer answers.
        hidden: how many columns; as many as the width: the identity.
        projection: principal components, or single coordinates in their order.
    """
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
