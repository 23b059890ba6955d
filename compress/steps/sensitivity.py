"""`sensitivity`: what each part of an ONNX model costs in fewer bits."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from compress.chain.artifacts import OnnxModel, Sensitivity
from compress.chain.manifest import SensitivityManifest
from compress.chain.sensitivity import MeasuredPart, SensitivityReport, ranked
from compress.chain.step import Input, Loc, Step, Workspace
from compress.errors import QuantizationError
from compress.precision import Quantized
from compress.steps.quantization.blocks import BlockSize
from compress.steps.quantization.calibration import CalibrateRanges, calibration_rows
from compress.steps.quantization.given import Given
from compress.steps.quantization.validation_rows import ValidationRows, validation_rows

if TYPE_CHECKING:
    from compress.inference.predictor import Array
    from compress.quantization.sensitivity import Answered, Rewrite

STATIC: Quantized = "static_int8"
QUANTIZES = "quantize"


class MeasureSensitivity(Step):
    """Quantize one operator or layer at a time, leave the others float, and rank the parts by what that costs."""

    step: Literal["sensitivity"]
    model: Input[OnnxModel]
    """The float model, exported unfused."""
    precisions: tuple[Quantized, ...] = Field(default=("int8", "int4"), min_length=1)
    """What each part is tried in: `int8` (activations scaled by token), `int4` (the same with weights of 4 bits in the
    file), `static_int8` (calibrated ranges)."""
    by: Literal["operator", "layer"] = "operator"
    """One product or looked-up table at a time, or all products of an encoder layer together: fewer runs, coarser."""
    rows: int = Field(default=256, ge=2, le=1_000_000)
    """Rows that each candidate is asked, spread evenly over the split."""
    split: Literal["validation", "train"] = "validation"
    """Where they come from; never the test split: what was chosen on rows cannot be judged on them."""
    block_size: BlockSize = 32
    """Weights that share a scale, for `int4`."""
    calibrate_ranges: CalibrateRanges | None = None
    """The texts that the ranges of `static_int8` are found on; only for that precision."""

    @field_validator("precisions")
    @classmethod
    def _each_once(cls, precisions: tuple[Quantized, ...]) -> tuple[Quantized, ...]:
        if len(set(precisions)) < len(precisions):
            raise ValueError("names a precision twice")
        return precisions

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.calibrate_ranges is not None and STATIC not in self.precisions:
            raise ValueError("calibrate_ranges belongs to the precision static_int8")
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float."""
        name = self.model.stage
        if name in earlier and earlier[name].step == QUANTIZES:
            yield ("model",), f"'{name}' is quantized already: name the stage that exported the float model"

    def run(self, workspace: Workspace) -> Sensitivity:
        """Ask the float model once and each candidate once."""
        model = workspace.load(self.model)
        rows = validation_rows(workspace, model, split=self.split, rows=self.rows)
        report = self._report(workspace, model, rows)
        report.write(workspace.out)
        facts, worst = model.manifest, report.parts[0]
        SensitivityManifest(task=facts.task, labels=facts.labels, model=model.digest, dataset=facts.dataset).write(
            workspace.out
        )
        workspace.progress.say(
            f"{self.name}: {report.primary} of float is {report.value:.4g}; of {len(report.parts)} candidates the most "
            f"sensitive is {worst.module} in {worst.precision} (loss {worst.loss:.2g}, drop {worst.drop:.4g})."
        )
        return Sensitivity(workspace.out, "")

    def _report(self, workspace: Workspace, model: OnnxModel, rows: ValidationRows) -> SensitivityReport:
        from compress.quantization.precision_parts import parts_of
        from compress.quantization.sensitivity import answers_by_part, candidates, float_bytes

        source = model.path / "model.onnx"
        parts = parts_of(source, by=self.by)
        total = len(candidates(parts, self.precisions))
        if not total:
            named = " or ".join(self.precisions)
            raise QuantizationError(f"no part of the model can be {named}: name more precisions.")
        others = self._static(workspace, model)
        wanted = rows.logits(source)
        value, measured = rows.figure(wanted), list[MeasuredPart]()
        with workspace.progress.track(f"{self.name}: {total} candidates, {len(rows.encoded)} rows", total) as advance:
            for one in answers_by_part(
                source, parts, self.precisions, rows.encoded, block_size=self.block_size, others=others
            ):
                measured.append(_measured(one, rows, wanted, value))
                advance(note=f"{one.part.module} {one.precision}")
        return SensitivityReport(
            model=model.digest, by=self.by, split=self.split, rows=len(rows.encoded), primary=rows.primary, value=value,
            float_bytes=float_bytes(source), block_size=self.block_size, parts=ranked(measured),
        )  # fmt: skip

    def _static(self, workspace: Workspace, model: OnnxModel) -> "dict[Quantized, Rewrite]":
        """How static_int8 is made, where it is asked for."""
        if STATIC not in self.precisions:
            return {}
        from compress.quantization.sensitivity_static import static_rewrite

        rows = calibration_rows(self.calibrate_ranges or CalibrateRanges(), Given(workspace, model))
        return {STATIC: static_rewrite(model.path / "model.onnx", rows.batches, progress=workspace.progress)}


def _measured(one: "Answered", rows: ValidationRows, wanted: "Array", value: float) -> MeasuredPart:
    from compress.quantization.sensitivity import logit_loss

    loss, figure = logit_loss(wanted, one.logits, task=rows.task), rows.figure(one.logits)
    return MeasuredPart(
        part=one.part.name, module=one.part.module, kind=one.part.kind, operators=one.part.operators,
        precision=one.precision, mse=loss.mse, kl=loss.kl, figure=figure, drop=rows.drop(one.logits, value),
        bytes_saved=one.bytes_saved,
    )  # fmt: skip
