"""A teacher that answers a text with its logits and, beside them, its sentence vector: both from one pass.

The vector is the mean of the last layer's hidden states over the real tokens, as sentence-transformers pools.
"""

import torch
from transformers import PreTrainedModel

from compress.distillation.watch import Watch
from compress.inference.predictor import LOGITS, Batch
from compress.inference.torch_predictor import inputs_of
from compress.objectives.masking import mean_of_tokens


class WithVectors:
    """A predictor whose rows are the logits, then the sentence vector: float32 (batch, classes + width).

    Args:
        model: of a known family, in evaluation mode.
        watch: on that model; the caller closes it.

    Raises: ModelError: for a family whose layers are not known.
    """

    def __init__(self, model: PreTrainedModel, watch: Watch) -> None:
        self._model, self._takes = model, inputs_of(model)
        self._last = watch.hidden(watch.layers - 1)

    def predict(self, batch: Batch) -> Batch:
        """`logits` with the vectors behind them; inputs that the model does not take are left out."""
        tensors = {name: torch.from_numpy(array) for name, array in batch.items() if name in self._takes}
        with torch.inference_mode():
            logits = self._model(**tensors).logits
            vectors = mean_of_tokens(self._last(), tensors["attention_mask"])
            return {LOGITS: torch.cat([logits.float(), vectors], dim=1).numpy()}
