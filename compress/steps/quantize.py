"""`quantize`: an ONNX model in fewer bits."""

from dataclasses import asdict
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compress.chain.artifacts import OnnxModel
from compress.chain.step import Input, Step, Workspace
from compress.steps.quantization.dynamic_int8 import DynamicInt8
from compress.steps.quantization.weight_only import WeightOnly

Scheme = Annotated[DynamicInt8 | WeightOnly, Field(discriminator="kind")]


class Quantize(Step):
    """Quantize every product with constant weights and every embedding, and fail if one was left."""

    version: ClassVar[int] = 2

    step: Literal["quantize"]
    model: Input[OnnxModel]
    """The float model, exported unfused."""
    scheme: Scheme = Field(default_factory=lambda: DynamicInt8(kind="dynamic_int8"))
    """What is quantized, and how."""

    def run(self, workspace: Workspace) -> OnnxModel:
        """Quantize and count."""
        from compress.exporting.folder import copy_beside
        from compress.exporting.nodes import count_nodes

        model = workspace.load(self.model)
        target = workspace.out / "model.onnx"
        found = self.scheme.apply(model.path / "model.onnx", target, workspace.progress)
        copy_beside(model.path, workspace.out)
        counts = ", ".join(f"{count} {operator}" for operator, count in found.quantized.items())
        workspace.progress.say(f"quantized {counts}: {found.size_mb_before} MB became {found.size_mb_after} MB.")
        details = {"scheme": self.scheme.model_dump(), **asdict(found), "nodes": count_nodes(target)}
        model.manifest.derived(
            kind="OnnxModel", step=self.step, digest=model.digest, details=details,
            batch_invariant=self.scheme.batch_invariant,
        ).write(workspace.out)  # fmt: skip
        return OnnxModel(workspace.out, "")
