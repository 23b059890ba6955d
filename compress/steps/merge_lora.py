"""`merge_lora`: a LoRA delta added to its base, with the proof that the answers stay the same.

A delta that was trained on a quantized base is merged onto the full-precision one. The proof is then of the delta on
that base; how far it is from what was trained is reported (`loss_of_merging`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.chain.artifacts import Checkpoint, Dataset, LoraDelta
from compress.chain.step import Input, Step, Workspace
from compress.errors import ModelError
from compress.progress import Progress
from compress.steps.base_model import pretrained
from compress.steps.loss_of_merging import loss_of_merging, tell_loss

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray

AGREEMENT = 1e-4
PROOF_ROWS = 64
LOSS_ROWS = 512
PROOF_BATCH = 16


class MergeLora(Step):
    """Add a LoRA delta to its base, and prove that the merged model answers the same."""

    step: Literal["merge_lora"]
    delta: Input[LoraDelta]
    """The stage that made the delta; its base is found by what the delta says of it."""

    def run(self, workspace: Workspace) -> Checkpoint:
        """Merge, write the checkpoint, compare its logits with the delta's on real rows.

        Raises: ModelError when the base is another one by now, or the answers differ.
        """
        from compress.data.rows import texts_of
        from compress.models.load import load_delta, load_tokenizer
        from compress.models.save import save_checkpoint
        from compress.tuning.lora import merge

        delta = workspace.load(self.delta)
        facts, folder = delta.manifest, workspace.base_of(delta)
        texts = texts_of(_rows(workspace.dataset_of(delta), PROOF_ROWS))
        before = _logits(delta.path, texts, workspace.progress, facts.max_length, base_folder=folder, as_trained=False)
        merged = merge(load_delta(delta.path, base_folder=folder, task=facts.task, labels=facts.labels))
        save_checkpoint(merged, load_tokenizer(delta.path), workspace.out, max_length=facts.max_length)
        after = _logits(workspace.out, texts, workspace.progress, facts.max_length)
        details: dict[str, Any] = {
            "parity": {"rows": len(texts), "max_difference": _agreeing(before, after), "limit": _limit(before)}
        }
        if "quantized_base" in facts.details:
            details["quantized_base"] = facts.details["quantized_base"]
            details["loss"] = self._loss(delta, folder, workspace)
        facts.derived(
            kind="Checkpoint", step=self.step, digest=delta.digest, details=details, **pretrained(facts, folder),
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")

    def _loss(self, delta: LoraDelta, base_folder: Path, workspace: Workspace) -> dict[str, Any]:
        """How far the merged model, written already, is from the delta on the quantized base; told and returned."""
        from compress.data.rows import targets_of, texts_of

        facts, rows = delta.manifest, _rows(workspace.dataset_of(delta), LOSS_ROWS)
        texts, length = texts_of(rows), facts.max_length
        found = loss_of_merging(
            _logits(workspace.out, texts, workspace.progress, length),
            _logits(delta.path, texts, workspace.progress, length, base_folder=base_folder),
            targets_of(rows), task=facts.task, labels=facts.labels,
        )  # fmt: skip
        tell_loss(found, task=facts.task, progress=workspace.progress, name=self.name)
        return found


def _rows(data: Dataset, count: int) -> "datasets.Dataset":
    """Real rows: of the first split that has some, validation before train, so that they are other ones."""
    from compress.data.rows import load_split, spread

    split = next(split for split in ("validation", "test", "train") if (data.path / split).is_dir())
    return spread(load_split(data.path, split), count)


def _logits(
    folder: Path,
    texts: "list[str] | list[tuple[str, str]]",
    progress: Progress,
    max_length: int,
    *,
    base_folder: Path | None = None,
    as_trained: bool = True,
) -> "NDArray[np.float32]":
    """Of each text, as the folder's model answers in fp32."""
    from compress.inference.run import predict_all
    from compress.inference.text_encoder import TextEncoder
    from compress.inference.torch_predictor import open_torch

    return predict_all(
        open_torch(folder, threads=0, base_folder=base_folder, as_trained=as_trained),
        TextEncoder.load(folder, max_length=max_length), texts, batch_size=PROOF_BATCH, progress=progress,
        description="proof of the merge",
    )  # fmt: skip


def _limit(answers: "NDArray[np.float32]") -> float:
    """A regression may answer in thousands."""
    from compress.exporting.parity import tolerated

    return tolerated(AGREEMENT, answers)


def _agreeing(before: "NDArray[np.float32]", after: "NDArray[np.float32]") -> float:
    """The largest difference.

    Raises: ModelError when it is beyond the limit.
    """
    difference, limit = float(abs(before - after).max()), _limit(before)
    if not difference <= limit:  # NaN is no agreement
        raise ModelError(
            f"the merged model answers differently: logits differ by {difference:.2g}, the limit is {limit:g}. "
            "Train the delta again with a lower learning rate or alpha: its weights are too large to be added in fp32."
        )
    return float(f"{difference:.2g}")
