"""Weights of small magnitude set to zero while the model trains on labels, more and more of them, and kept at zero.

The matrices keep their shape: ONNX Runtime multiplies with a zero as with any number, so nothing gets faster; a
compressed download gets smaller, and hardware or runtimes that skip zeros may gain. Knows models and Dataset folders.

Source: Zhu & Gupta, "To prune, or not to prune", 2017 (schedule, by magnitude in each matrix); Mishra et al.,
"Accelerating Sparse Deep Neural Networks", 2021 (2:4).
"""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.errors import ModelError
from compress.models.heads import head_modules, pooler_name
from compress.models.layers import encoder_layers
from compress.progress import Progress
from compress.pruning.gradual import GradualPruning
from compress.pruning.sparsity import Pattern
from compress.task import Task
from compress.training.options import Training
from compress.training.supervise import supervise
from compress.tuning.full import full

LEVEL = 1  # of deflate: zeros show at any
NO_FASTER = (
    "ONNX Runtime multiplies with a zero as with any number, so the model gets no faster and its file no smaller: only "
    "a compressed copy of the file does"
)


def prune_by_magnitude(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    pruning: GradualPruning,
    data: Path,
    training: Training,
    max_length: int,
    task: Task,
    labels: tuple[str, ...],
    seed: int,
    progress: Progress,
    description: str,
) -> dict[str, Any]:
    """Train `model` on labels while `pruning` empties its matrices; what was found, for the manifest.

    Args:
        model: all of it trains; it gets its best state by validation among those of the final sparsity.
        tokenizer: the model's.
        pruning: of some of the model's matrices.
        data: a Dataset folder with labels.
        training: the user's words.
        max_length: tokens; longer texts are cut.
        task: of the data.
        labels: of the data.
        seed: of order and dropout.
        progress: told steps, and what sparsity does not do.
        description: what the bar is called.

    Raises: TrainingError as `supervise` does, or when training is too short; ModelError when no weight became zero.
    """
    full(model)
    before = deflated_mb(pruning.matrices)
    report = supervise(
        model, tokenizer, base=model, data=data, training=training, strategy="full", max_length=max_length, task=task,
        labels=labels, seed=seed, constraint=pruning, progress=progress, description=description,
    )  # fmt: skip
    zeros = zeros_of(pruning.matrices)
    for name, matrix in pruning.matrices.items():
        wanted = round(pruning.sparsity * matrix.numel())
        assert int((matrix == 0).sum()) >= wanted, f"{name}: a state from before the final sparsity was kept"
    progress.say(
        f"{description}: {zeros['sparsity']:.1%} of {zeros['numbers']:,} weights in {zeros['matrices']} matrices are "
        f"zero. {NO_FASTER}."
    )
    return {
        **zeros, "final_from_step": pruning.holds_from, "raised_every": pruning.every, "note": f"{NO_FASTER}.",
        "deflated_mb": {"before": before, "after": deflated_mb(pruning.matrices)}, "training": report.details(),
    }  # fmt: skip


def prunable_matrices(model: PreTrainedModel, *, embeddings: bool = False, head: bool = False) -> dict[str, Tensor]:
    """The weights of all linear layers of the encoder's layers, by name.

    Args:
        model: an encoder with a head.
        embeddings: the word embedding too.
        head: the head and the pooler too.
    """
    roots: list[nn.Module] = [*encoder_layers(model)]
    if head:
        pooler = pooler_name(model)
        roots += [model.get_submodule(name) for name in {*head_modules(model), *([pooler] if pooler else [])}]
    if embeddings:
        roots.append(model.get_input_embeddings())
    inside = {part for root in roots for part in root.modules()}
    return {
        f"{name}.weight": module.weight
        for name, module in model.named_modules()
        if module in inside and isinstance(module, nn.Linear | nn.Embedding)
    }


def check_divides(matrices: Mapping[str, Tensor], pattern: Pattern) -> None:
    """Raises: ModelError naming the matrix whose inputs the pattern's groups do not divide."""
    for name, matrix in matrices.items():
        if matrix.size(-1) % pattern.of:
            raise ModelError(
                f"pattern {pattern}: {name} has {matrix.size(-1)} inputs, which {pattern.of} does not divide: use "
                "another pattern, or `sparsity`."
            )


def zeros_of(matrices: Mapping[str, Tensor]) -> dict[str, Any]:
    """How sparse the matrices are, counted.

    Raises: ModelError when there is no zero.
    """
    zeros = {name: int((matrix == 0).sum()) for name, matrix in matrices.items()}
    numbers = sum(matrix.numel() for matrix in matrices.values())
    if not any(zeros.values()):
        raise ModelError("no weight is zero: nothing was pruned. Ask for a larger `sparsity`.")
    least = min(zeros[name] / matrix.numel() for name, matrix in matrices.items())
    return {
        "matrices": len(zeros), "numbers": numbers, "zeros": sum(zeros.values()),
        "sparsity": float(f"{sum(zeros.values()) / numbers:.6g}"), "least_sparsity": float(f"{least:.6g}"),
    }  # fmt: skip


def deflated_mb(matrices: Mapping[str, Tensor]) -> float:
    """10^6 bytes of the matrices' fp32 numbers after deflate, as in a zip or a compressed download."""
    sizes = (len(zlib.compress(matrix.detach().float().numpy().tobytes(), LEVEL)) for matrix in matrices.values())
    return round(sum(sizes) / 1e6, 3)
