"""`bundle`: what an edge box needs and no more."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from compress.chain import artifacts
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.export_onnx import ExportOnnx
from compress.steps.quantize import Quantize

ROWS_TO_COMPARE = 16


class Bundle(Step):
    """Put model, tokenizer and configuration together so that `load_bundle` needs nothing else."""

    step: Literal["bundle"]
    model: Input[artifacts.OnnxModel]
    """The model to ship."""
    one_text_at_a_time: bool = False
    """Write the graph without `attention_mask`, for callers who never pad: a little quicker. Needs an export with
    `graph: lean`; rows of different lengths are then answered one after the other."""

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """A graph without mask is made of a lean one."""
        exported = _exported(self.model.stage, earlier)
        if self.one_text_at_a_time and exported is not None and exported.graph != "lean":
            yield ("one_text_at_a_time",), f"one_text_at_a_time needs `graph: lean` in stage '{exported.name}'"

    def run(self, workspace: Workspace) -> artifacts.Bundle:
        """Link the graph, write tokenizer and configuration, and open the result once."""
        from compress.exporting.folder import write_bundle
        from compress.inference.classifier import load_bundle

        model = workspace.load(self.model)
        manifest = model.manifest
        sizes = write_bundle(
            model.path, workspace.out, task=manifest.task, max_length=manifest.max_length,
            one_text_at_a_time=self.one_text_at_a_time,
        )  # fmt: skip
        load_bundle(workspace.out, threads=1).predict(["a text"])
        details = {**manifest.details, "files_mb": sizes}
        if self.one_text_at_a_time:
            details["one_text_at_a_time"] = self._compare(model, workspace)
        manifest.derived(kind="Bundle", step=self.step, digest=model.digest, details=details).write(workspace.out)
        return artifacts.Bundle(workspace.out, "")

    def _compare(self, model: artifacts.OnnxModel, workspace: Workspace) -> dict[str, Any]:
        """With the graph that has its mask, on texts of the model's own data."""
        from compress.data.rows import load_split, spread, texts_of
        from compress.exporting.lean.without_mask import check_alone
        from compress.inference.onnx_predictor import open_onnx
        from compress.inference.text_encoder import TextEncoder

        dataset = workspace.dataset_of(model)
        split = next(split for split in ("validation", "test", "train") if split in dataset.manifest.splits)
        texts = texts_of(spread(load_split(dataset.path, split), ROWS_TO_COMPARE))
        encoder = TextEncoder.load(model.path, max_length=model.manifest.max_length)
        masked, unmasked = open_onnx(model.path, threads=1), open_onnx(workspace.out, threads=1)
        largest = check_alone(masked, unmasked, encoder, texts)
        workspace.progress.say(f"without attention_mask: {len(texts)} texts, logits within {largest:.1g} of before.")
        return {"rows": len(texts), "split": split, "largest_difference": largest}


def _exported(name: str, earlier: Mapping[str, Step]) -> ExportOnnx | None:
    """The stage whose graph the stage `name` ships, quantized or not; None when that cannot be told."""
    source = earlier.get(name)
    for _ in earlier:
        if isinstance(source, Quantize):
            source = earlier.get(source.model.stage)
    return source if isinstance(source, ExportOnnx) else None
