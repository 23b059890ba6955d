"""A sparse model that is about to train without what keeps its weights at zero: noticed by counting, and said.

Exact zeros are no weights that training finds: where much of a product's matrix is zero, somebody pruned it.
"""

from torch import nn

from compress.progress import Progress

SPARSE = 0.3
"""The share of exact zeros in a matrix from which it counts as pruned."""


def warn_of_lost_zeros(model: nn.Module, *, progress: Progress, description: str) -> None:
    """Warn when matrices of linear layers that train are sparse: the first steps make every zero a number again.

    Args:
        model: before training; what does not train has no gradient required.
        progress: told.
        description: of the training.
    """
    trained = [one.weight for one in model.modules() if isinstance(one, nn.Linear) and one.weight.requires_grad]
    sparse = [matrix for matrix in trained if int((matrix == 0).sum()) > SPARSE * matrix.numel()]
    if sparse:
        share = sum(int((matrix == 0).sum()) for matrix in sparse) / sum(matrix.numel() for matrix in sparse)
        progress.warn(
            f"{description}: {len(sparse)} of the {len(trained)} matrices that train are {share:.0%} zeros, as after "
            "`prune: magnitude`. This training does not keep zeros, so the sparsity is lost: prune by magnitude last."
        )
