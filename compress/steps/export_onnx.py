"""`export_onnx`: a checkpoint to an ONNX graph that answers as it does."""

from typing import Literal

from pydantic import Field

from compress.chain.artifacts import Checkpoint, OnnxModel
from compress.chain.step import Input, Step, Workspace

ROWS_TO_CHOOSE_FROM = 2_000  # parity is asked of a few of them, spread over their lengths


class ExportOnnx(Step):
    """Write the model as one ONNX file with dynamic batch and length, and prove that it answers as PyTorch does."""

    step: Literal["export_onnx"]
    model: Input[Checkpoint]
    """The checkpoint to export."""
    opset: int | None = Field(default=None, ge=18, le=23)
    """Version of ONNX's operators; by default the one that the exporter prefers."""
    fuse: bool = False
    """Fuse into onnxruntime's own operators. The file then runs on onnxruntime alone and cannot be quantized well:
    onnxruntime fuses what suits the processor by itself when it loads an unfused one."""

    def run(self, workspace: Workspace) -> OnnxModel:
        """Export, check, prove."""
        from compress.data.rows import load_split, spread, texts_of
        from compress.exporting.checkpoint import export_checkpoint

        model = workspace.load(self.model)
        dataset = workspace.dataset_of(model)
        split = next(split for split in ("validation", "test", "train") if split in dataset.manifest.splits)
        rows = load_split(dataset.path, split)
        found = export_checkpoint(
            model.path, workspace.out,
            texts=texts_of(spread(rows, ROWS_TO_CHOOSE_FROM)),
            max_length=model.manifest.max_length, opset=self.opset, fuse=self.fuse,
        )  # fmt: skip
        parity = found["parity"]
        workspace.progress.say(
            f"{parity['rows']} {split} rows alone, padded and in a batch: logits within "
            f"{parity['largest_difference']:.1g} of PyTorch's."
        )
        details = {**found, "parity": {**parity, "split": split}}
        model.manifest.derived(kind="OnnxModel", step=self.step, digest=model.digest, details=details).write(
            workspace.out
        )
        return OnnxModel(workspace.out, "")
