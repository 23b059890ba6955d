"""The rows on which a sensitivity is measured and a mix is proved: spread over one split of the model's own data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.chain.artifacts import OnnxModel
from compress.chain.step import Workspace
from compress.errors import DataError
from compress.evaluation.tasks import drop_of, primary_metric
from compress.task import Task

if TYPE_CHECKING:
    from compress.inference.predictor import Array
    from compress.quantization.sensitivity_rows import EncodedRows

FEWEST = 2


@dataclass(frozen=True)
class ValidationRows:
    """Encoded rows with what was wanted of them."""

    encoded: "EncodedRows"
    targets: Any
    task: Task
    labels: Sequence[str]

    @property
    def primary(self) -> str:
        """The task's main figure."""
        return primary_metric(self.task)

    def logits(self, file: Path) -> "Array":
        """What the graph in `file` answers."""
        return self.encoded.logits(file)

    def figure(self, logits: "Array") -> float:
        """The main figure of these answers."""
        from compress.evaluation.metrics import read

        reading = read(logits, self.targets, task=self.task, labels=self.labels)
        if self.primary in reading.shares:
            share = reading.shares[self.primary]
            return float(share.right[share.among].mean())
        return reading.values[self.primary]

    def drop(self, logits: "Array", float_value: float) -> float:
        """How much worse the main figure is than the float model's; negative where it is better."""
        return drop_of(self.primary, self.figure(logits), float_value)


def validation_rows(workspace: Workspace, model: OnnxModel, *, split: str, rows: int) -> ValidationRows:
    """At most `rows` of the split, spread evenly, of the data set that the model was trained on.

    Raises: DataError when there is no such split or it has too few rows.
    """
    from compress.data.rows import load_split, spread, targets_of, texts_of
    from compress.inference.text_encoder import TextEncoder
    from compress.quantization.sensitivity_rows import EncodedRows

    chosen = spread(load_split(workspace.dataset_of(model).path, split), rows)
    if len(chosen) < FEWEST:
        raise DataError(
            f"the {split} split has {len(chosen)} row{'s' * (len(chosen) != 1)}, and a loss on so few says nothing: "
            "give load_data more, or take another split."
        )
    encoder = TextEncoder.load(model.path, max_length=model.manifest.max_length)
    facts = model.manifest
    return ValidationRows(EncodedRows(encoder, texts_of(chosen)), targets_of(chosen), facts.task, facts.labels)
