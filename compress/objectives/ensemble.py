"""Several teachers' answers as one: the weighted mean of their softened probabilities.

Knows tensors only. The mean is taken of probabilities, not of logits: a teacher whose logits are larger is not more
right for that.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2 (the arithmetic mean of
predictive distributions as soft targets); You et al., "Learning from Multiple Teacher Networks", 2017, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress.objectives.masking import float32
from compress.task import Task


def mean_answer(teacher_logits: Tensor, *, weights: Sequence[float], task: Task, temperature: float) -> Tensor:
    """The logits t of one teacher who would answer the mean.

        text-classification         softmax(t / T) = Σ_k w_k softmax(t_k / T)
        multi-label-classification  σ(t / T) = Σ_k w_k σ(t_k / T)
        text-regression             t = Σ_k w_k t_k

    Args:
        teacher_logits: shape (teachers, batch, classes), unnormalised.
        weights: one a teacher, > 0; they add up to 1.
        task: decides the distribution.
        temperature: T > 0, the one at which the mean is compared.

    Returns: shape (batch, classes); of one teacher its own logits.
    """
    if len(weights) == 1:
        return teacher_logits[0]
    (logits,) = float32(teacher_logits)
    shares = torch.tensor(weights, dtype=logits.dtype, device=logits.device)[:, None, None]
    if task == "text-regression":
        return (shares * logits).sum(dim=0)
    softened, log_shares = logits / temperature, shares.log()
    if task == "multi-label-classification":
        yes = torch.logsumexp(log_shares + functional.logsigmoid(softened), dim=0)
        no = torch.logsumexp(log_shares + functional.logsigmoid(-softened), dim=0)
        return temperature * (yes - no)
    return temperature * torch.logsumexp(log_shares + functional.log_softmax(softened, dim=-1), dim=0)
