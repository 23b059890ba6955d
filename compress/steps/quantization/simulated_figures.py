"""What a model reaches on the validation rows in turns: as float, simulated before its training, and after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compress.chain.artifacts import Dataset
from compress.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SPLIT = "validation"


class SimulatedFigures:
    """One model and its validation rows, if the data set has any.

    Args:
        model: asked as it is at that moment.
        tokenizer: the model's.
        data: labelled.
        max_length: tokens; longer texts are cut.
        progress: told rows, and when training has not helped.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        data: Dataset,
        *,
        max_length: int,
        progress: Progress,
    ) -> None:
        from compress.training.labelled_rows import labelled_rows

        self._model, self._task, self._progress = model, data.manifest.task, progress
        found = data.manifest.splits.get(SPLIT)
        self._rows = (
            labelled_rows(data.path, SPLIT, tokenizer, max_length=max_length, rows=found.rows)
            if found is not None and found.rows
            else None
        )

    def figures(self, description: str) -> dict[str, float]:
        """Loss and the task's score now; none without rows."""
        from compress.training.labelled_rows import figures_on

        if self._rows is None:
            return {}
        with self._progress.track(description, len(self._rows)) as advance:
            return figures_on(self._rows, self._model, task=self._task, advance=advance)

    def details(self) -> dict[str, Any]:
        """What was asked, for the manifest."""
        return {} if self._rows is None else {"split": SPLIT, "rows": len(self._rows)}

    def tell(self, said: Mapping[str, Mapping[str, float]], *, description: str) -> None:
        """Say what the simulated model reached; warn when it is no better than before its training.

        Args:
            said: figures of `float`, `untrained` and `trained`.
            description: of the stage.
        """
        from compress.training.validation import SCORES, rank_of

        if self._rows is None:
            return
        name = SCORES[self._task]
        shown = ", ".join(f"{when} {figures[name]:.4g}" for when, figures in said.items())
        self._progress.say(f"{description}: {name} on {len(self._rows)} validation rows, quantized: {shown}.")
        if rank_of(said["trained"], task=self._task) < rank_of(said["untrained"], task=self._task):
            self._progress.warn(
                f"{description}: quantized, the model is no better after this training than before it ({shown}): lower "
                "the learning rate, train longer, or leave this stage out."
            )
