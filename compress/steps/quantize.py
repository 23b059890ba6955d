"""`quantize`: an ONNX model in fewer bits."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from compress.chain.artifacts import OnnxModel
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.quantization.dynamic_int8 import DynamicInt8
from compress.steps.quantization.given import Given
from compress.steps.quantization.mixed import Mixed
from compress.steps.quantization.static_int8 import StaticInt8
from compress.steps.quantization.trainable import WORD, other_scheme, trained_by
from compress.steps.quantization.weight_only import WeightOnly
from compress.steps.sensitivity import MeasureSensitivity

Scheme = Annotated[DynamicInt8 | WeightOnly | StaticInt8 | Mixed, Field(discriminator="kind")]


class Quantize(Step):
    """Quantize all products with constant weights and all embeddings; fail if one is left unasked."""

    version: ClassVar[int] = 4

    step: Literal["quantize"]
    model: Input[OnnxModel]
    """The float model, exported unfused."""
    scheme: Scheme = Field(default_factory=lambda: DynamicInt8(kind="dynamic_int8"))
    """What is quantized, and how; by default `dynamic_int8`."""

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float; whether a fused one can be quantized is up to its family, known when it runs."""
        name = self.model.stage
        if isinstance(earlier.get(name), Quantize):
            yield ("model",), f"'{name}' is quantized already: name the stage that exported the float model"
        yield from self._about_the_report(earlier)
        yield from self._about_trained_ranges(earlier)

    def _about_the_report(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """A sensitivity report says nothing about other models, nor about precisions that it did not measure."""
        report = self.scheme.sensitivity if isinstance(self.scheme, (Mixed, StaticInt8)) else None
        measured = earlier.get(report.stage) if report is not None else None
        if report is None or not isinstance(measured, MeasureSensitivity):
            return
        place, name, about = ("scheme", "sensitivity"), self.model.stage, measured.model.stage
        if about != name:
            yield place, f"'{report.stage}' measured '{about}', and this quantizes '{name}': measure the same model"
        there = ", ".join(measured.precisions)
        wanted = self.scheme.precisions if isinstance(self.scheme, Mixed) else (self.scheme.kind,)
        for one in (precision for precision in dict.fromkeys(wanted) if precision not in measured.precisions):
            yield place, f"'{report.stage}' measures no {one} (it has {there}): add it to its `precisions`"

    def _about_trained_ranges(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """Only a model that was trained in this scheme has ranges that were trained."""
        maker = trained_by(self.model.stage, earlier)
        if not isinstance(self.scheme, StaticInt8) or self.scheme.ranges != "trained" or maker is None:
            return
        if maker.step not in {WORD, self.step}:
            problem = (
                f"trained ranges are made by {WORD}, and the weights of '{self.model.stage}' come from '{maker.name}' "
                f"({maker.step}): train them there, or calibrate (`ranges: minmax`)"
            )
            yield ("scheme", "ranges"), problem

    def run(self, workspace: Workspace) -> OnnxModel:
        """Quantize and count."""
        from compress.exporting.folder import copy_beside
        from compress.exporting.nodes import count_nodes

        model = workspace.load(self.model)
        target = workspace.out / "model.onnx"
        if (other := other_scheme(model.manifest, self.scheme.model_dump(mode="json"))) is not None:
            workspace.progress.warn(f"{self.name}: {other}")
        found = self.scheme.apply(model.path / "model.onnx", target, Given(workspace, model))
        copy_beside(model.path, workspace.out)
        invariance = self._batch_invariance(workspace, max_length=model.manifest.max_length)
        counts = ", ".join(f"{count} {operator}" for operator, count in found.quantized.items())
        workspace.progress.say(f"quantized {counts}: {found.size_mb_before} MB became {found.size_mb_after} MB.")
        counted = asdict(found)
        details = {
            "scheme": self.scheme.model_dump(), **counted.pop("details"), **counted, "nodes": count_nodes(target),
            "batch_invariance": invariance,
        }  # fmt: skip
        model.manifest.derived(
            kind="OnnxModel", step=self.step, digest=model.digest, details=details,
            batch_invariant=invariance["same"],
        ).write(workspace.out)  # fmt: skip
        return OnnxModel(workspace.out, "")

    def _batch_invariance(self, workspace: Workspace, *, max_length: int) -> dict[str, Any]:
        """Whether a text's answer is the same in any batch: asked of the model, where the scheme can be so at all."""
        from compress.benchmarking.machine import this_machine
        from compress.quantization.invariance import is_batch_invariant

        if not self.scheme.may_be_batch_invariant:
            return {"same": False}
        same = is_batch_invariant(workspace.out, max_length=max_length)
        machine = this_machine()
        if not same:
            workspace.progress.warn(
                f"{self.name}: on this machine ({machine.processor}) the answer to a text depends a little on the "
                "texts beside it."
            )
        return {"same": same, "processor": machine.processor, "instruction_sets": list(machine.instruction_sets)}
