"""`kind: static_int8`."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from compress.chain.artifacts import Sensitivity
from compress.chain.step import Input
from compress.frozen import Frozen
from compress.quantization.calibration_methods import RangeMethod
from compress.steps.quantization.calibration import CalibrateRanges, calibration_rows
from compress.steps.quantization.embeddings import Tables, bits_and_block_size
from compress.steps.quantization.given import Given
from compress.steps.quantization.sensitive_products import leave_by_sensitivity
from compress.steps.quantization.target import Target, warn_if_saturating

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized

PERCENTILE = 99.99


class StaticInt8(Frozen):
    """Weights and activations in 8 bits; the activations' ranges are found beforehand, on calibration data."""

    kind: Literal["static_int8"]
    """How."""
    calibrate_ranges: CalibrateRanges = CalibrateRanges()
    """The texts that ranges are found on."""
    ranges: RangeMethod | Literal["trained"] = "minmax"
    """From the smallest to the largest value seen; or cut at a percentile, or where least information is lost; or
    `trained`: those that `train_quantized` left in the checkpoint, which needs no texts."""
    percentile: float | None = Field(default=None, gt=50, le=100)
    """Percent of all values that are within the range, for `ranges: percentile`; by default 99.99."""
    smooth: float | None = Field(default=None, gt=0, lt=1)
    """Strength of SmoothQuant, such as 0.5: outliers among a norm's channels move into the weights behind it."""
    per_channel: bool = True
    """One scale for each output of a product instead of one for its whole matrix: much closer to the float model."""
    leave_float: tuple[str, ...] = ()
    """Products that stay float: an operator (`Gemm`), a product's output in the float graph, or a pattern with `*`.
    What is no product with constant weights (norms, sums, softmax, attention) stays float anyway."""
    sensitivity: Input[Sensitivity] | None = None
    """The stage that measured this very model in `static_int8`: the most sensitive products stay float too, as few as
    `max_drop` needs."""
    max_drop: float | None = Field(default=None, ge=0, le=1e6)
    """What the main figure (accuracy) may lose against float on validation rows, for `sensitivity`."""
    embeddings: Tables = True
    """Embeddings too, in 8 bits with one scale a row, or in 4 (`{bits: 4}`): they are half of a small model."""
    reduce_range: bool | None = None
    """Weights in 7 bits, for x86 processors without VNNI, whose int8 products saturate; by default as `target` says."""
    target: Target | None = Field(default=None)
    """The processor that it is for; by default one with instructions for int8."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.percentile is not None and self.ranges != "percentile":
            raise ValueError("percentile belongs to `ranges: percentile`")
        if self.ranges == "trained":
            self._check_trained()
        if (self.sensitivity is None) != (self.max_drop is None):
            raise ValueError("sensitivity and max_drop belong together: name both or none")
        return self

    @property
    def may_be_batch_invariant(self) -> bool:
        """Whether a text's answer can be the same in any batch; the model is asked."""
        return True

    @property
    def calibrates(self) -> bool:
        """Whether it looks at more than the graph: at texts, or at what was trained."""
        return True

    def apply(self, source: Path, made: Path, given: Given) -> "Quantized":
        """Write the quantized model of `source` to `made`.

        Raises: StepError when there is too little to calibrate on; QuantizationError when it cannot be quantized.
        """
        if self.target is not None:
            self.target.warn_if_elsewhere(given.progress)
        elif self.reduce_range is None:
            warn_if_saturating(given.progress)
        if self.ranges == "trained":
            return self._with_trained_ranges(source, made, given)
        return self._with_calibrated_ranges(source, made, given, method=self.ranges)

    def reduced(self) -> bool:
        """Whether weights stay within 7 bits: as said, or as the target needs."""
        if self.reduce_range is not None:
            return self.reduce_range
        return self.target is not None and self.target.needs_reduced_range()

    def _check_trained(self) -> None:
        """Raises: ValueError for what nobody reads where ranges were trained."""
        words = {
            "calibrate_ranges": self.calibrate_ranges != CalibrateRanges(), "smooth": self.smooth is not None,
            "leave_float": bool(self.leave_float), "sensitivity": self.sensitivity is not None,
        }  # fmt: skip
        for word in [word for word, said in words.items() if said]:
            raise ValueError(
                f"{word} does not go with `ranges: trained`: the model was trained for these ranges as it is"
            )

    def _with_calibrated_ranges(self, source: Path, made: Path, given: Given, *, method: RangeMethod) -> "Quantized":
        from compress.quantization.static import StaticWeights
        from compress.quantization.static_calibrated import Calibration, calibrate, products_named, quantize_calibrated

        leave, weights = products_named(source, self.leave_float), StaticWeights(self.per_channel, self.reduced())
        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        rows = calibration_rows(self.calibrate_ranges, given)
        calibration = Calibration(method, self.percentile or PERCENTILE, self.smooth)
        with TemporaryDirectory(dir=made.parent) as folder:
            ready = calibrate(source, Path(folder), rows.batches, calibration=calibration, progress=given.progress)

            def write(left: Collection[str]) -> "Quantized":
                return quantize_calibrated(
                    ready, made, weights=weights, embedding_bits=bits, embedding_block_size=block_size,
                    leave_float_products=left,
                )  # fmt: skip

            if self.sensitivity is None or self.max_drop is None:
                found = write(leave)
            else:
                found = leave_by_sensitivity(
                    self.sensitivity, given, source, made, max_drop=self.max_drop, leave=leave, write=write
                )
        return replace(found, details={"calibration": rows.details(), **found.details})

    def _with_trained_ranges(self, source: Path, made: Path, given: Given) -> "Quantized":
        from compress.quantization.static import StaticWeights, quantize_static_int8
        from compress.steps.quantization.trained_ranges import trained_ranges

        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        ranges = trained_ranges(source, given)
        found = quantize_static_int8(
            source, made, ranges=ranges, weights=StaticWeights(self.per_channel, self.reduced()), embedding_bits=bits,
            embedding_block_size=block_size,
        )  # fmt: skip
        return replace(found, details={"ranges": ranges})
