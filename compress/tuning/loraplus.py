"""LoRA+: the adapters' B matrices learn faster than their A matrices; peft's implementation.

B starts at zero and A does not, so one learning rate for both is too low for B in a wide model.

Source: Hayou et al., "LoRA+: Efficient Low Rank Adaptation of Large Models", 2024.
"""

from collections.abc import Mapping
from typing import Any

from peft.optimizers import create_loraplus_optimizer
from torch import nn
from torch.optim import Optimizer

from compress.errors import TrainingError


def loraplus_optimizer(
    model: nn.Module,
    optimizer_class: type[Optimizer],
    *,
    ratio: float,
    learning_rate: float,
    weight_decay: float,
    options: Mapping[str, Any],
) -> Optimizer:
    """An optimiser in which B matrices, and biases that train, have `ratio` times the learning rate of all else.

    A schedule multiplies the rates of all groups alike, so the ratio stays.

    Args:
        model: with LoRA layers anywhere below it.
        optimizer_class: AdamW, as a rule.
        ratio: of B's learning rate to A's.
        learning_rate: of A, and of the head's weights.
        weight_decay: not on biases and normalisation.
        options: the optimiser's others: betas, eps.

    Raises: TrainingError when there is no B matrix that trains.
    """
    if not any("lora_B" in name and weights.requires_grad for name, weights in model.named_parameters()):
        raise TrainingError("loraplus_ratio: no low-rank adapter trains, so it has no effect: leave it out.")
    others = {name: value for name, value in options.items() if name not in {"lr", "weight_decay"}}
    made: Optimizer = create_loraplus_optimizer(
        model, optimizer_class, lr=learning_rate, loraplus_lr_ratio=ratio,  # type: ignore[arg-type]
        loraplus_weight_decay=weight_decay, **others,
    )  # fmt: skip
    return made
