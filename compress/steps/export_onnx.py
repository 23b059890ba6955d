"""`export_onnx`: a checkpoint to an ONNX graph that answers as it does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from compress.chain.artifacts import Checkpoint, OnnxModel
from compress.chain.step import Input, Loc, Step, Workspace
from compress.progress import Progress
from compress.steps.quantized_models import about_quantized

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
    graph: Literal["plain", "lean"] = "plain"
    """Lean: rewritten into fewer and quicker operators (packed products, onnxruntime's attention, the last layer for
    the first two tokens only), proved equal; it runs on onnxruntime alone. Where it cannot be, plain with a warning."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.fuse and self.graph == "lean":
            raise ValueError(
                "fuse and graph: lean exclude each other: lean fuses what is quicker fused. Leave fuse out"
            )
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float: ONNX has no operators for bitsandbytes' weights."""
        cannot = "be exported (`step: quantize` after the export makes an ONNX model of fewer bits)"
        yield from about_quantized(("model",), self.model.stage, earlier, cannot=cannot)

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
            lean=self.graph == "lean", one_text=dataset.manifest.text_columns == 1,
        )  # fmt: skip
        self._tell(found["graph"], workspace.progress)
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

    def _tell(self, graph: dict[str, Any], progress: Progress) -> None:
        """What was rewritten, or why not."""
        if "not_lean_because" in graph:
            progress.warn(f"{self.name}: the graph stays plain: {graph['not_lean_because']}")
        elif graph["kind"] == "lean":
            progress.say(
                f"lean graph: {graph['nodes_before']} nodes became {graph['nodes_after']}; "
                f"{graph['attentions']} attentions in one operator each, {graph['packed_products']} products packed, "
                f"{graph['first_token_nodes']} nodes see the first two tokens only{_stayed(graph['stayed'])}."
            )


def _stayed(parts: Sequence[str]) -> str:
    """What could not be rewritten."""
    return f"; built otherwise and left as it was: {', '.join(parts)}" if parts else ""
