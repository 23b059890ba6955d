"""The `training: {…}` block that every step which trains shares; needs no torch.

None means: chosen by strategy and number of rows (`training/defaults.py`).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from compress.frozen import Frozen

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Schedule = Literal["linear", "cosine", "constant"]
Weight = Annotated[float, Field(gt=0, le=1e6)]


class Training(Frozen):
    """How a model is trained; what is left out is chosen by strategy and number of rows."""

    epochs: float | None = Field(default=None, gt=0, le=1000)
    """Passes over the training rows; or give `steps`."""
    steps: int | None = Field(default=None, ge=1, le=10_000_000)
    """Optimiser steps, instead of `epochs`."""
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    """The highest rate, reached after warm-up."""
    batch_size: int | None = Field(default=None, ge=1, le=8192)
    """Rows of one optimiser step, over all processes."""
    gradient_accumulation: int = Field(default=1, ge=1, le=1024)
    """Parts in which a batch is computed, to save memory."""
    warmup: float | None = Field(default=None, ge=0, le=1_000_000)
    """Below 1: the share of all steps; from 1: steps."""
    schedule: Schedule | None = None
    """How the learning rate falls after warm-up."""
    weight_decay: float | None = Field(default=None, ge=0, le=1)
    """AdamW's, not on biases and normalisation."""
    gradient_clipping: float | None = Field(default=None, ge=0, le=1000)
    """Largest norm of the gradient; 0 for none."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread: over all classes, or for several labels a text over yes and no."""
    early_stopping: int | None = Field(default=None, ge=0, le=1000)
    """Stop after so many validations without a better one; 0: never. The best one is kept in any case."""
    evaluate_every: int | None = Field(default=None, ge=1, le=10_000_000)
    """Optimiser steps between validations."""
    class_weights: Literal["balanced"] | dict[str, Weight] | None = None
    """`balanced`: rare classes weigh more; or a weight a label."""
    precision: Precision = "auto"
    """`auto`: bf16 autocast where the processor or GPU computes in it, else fp32; fp16 needs CUDA."""
    group_by_length: bool = True
    """Batches of rows of like length: little padding."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give either `epochs` or `steps`, not both")
        return self
