"""`quantize`: an ONNX model in fewer bits."""

from dataclasses import asdict
from typing import ClassVar, Literal

from pydantic import Field

from compress.chain.artifacts import OnnxModel
from compress.chain.step import Input, Step, Workspace
from compress.frozen import Frozen


class DynamicInt8(Frozen):
    """Weights in 8 bits, activations quantized while the model runs; needs no calibration data."""

    kind: Literal["dynamic_int8"]
    """How."""
    per_channel: bool = True
    """One scale for each output of a product instead of one for its whole matrix: much closer to the float model."""
    embeddings: bool = True
    """Embeddings too, with one scale a row: they are half of a small model."""
    reduce_range: bool = False
    """Weights in 7 bits. For x86 processors without VNNI, whose 8-bit products saturate; elsewhere a mere loss."""


Scheme = DynamicInt8
"""A union discriminated by `kind` once there are more."""


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
        from compress.quantization.dynamic import quantize_dynamic_int8

        model = workspace.load(self.model)
        target = workspace.out / "model.onnx"
        found = quantize_dynamic_int8(
            model.path / "model.onnx", target,
            per_channel=self.scheme.per_channel, embeddings=self.scheme.embeddings,
            reduce_range=self.scheme.reduce_range,
        )  # fmt: skip
        copy_beside(model.path, workspace.out)
        counts = ", ".join(f"{count} {operator}" for operator, count in found.quantized.items())
        workspace.progress.say(f"quantized {counts}: {found.size_mb_before} MB became {found.size_mb_after} MB.")
        details = {"scheme": self.scheme.model_dump(), **asdict(found), "nodes": count_nodes(target)}
        model.manifest.derived(
            kind="OnnxModel", step=self.step, digest=model.digest, details=details, batch_invariant=False
        ).write(workspace.out)
        return OnnxModel(workspace.out, "")
