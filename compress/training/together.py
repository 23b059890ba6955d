"""A model, its loss and what trains along, as one module: what `Trainer` (and DDP around it) calls."""

import inspect

from torch import Tensor, nn

from compress.training.losses import LossFunction, inputs_of


class Together(nn.Module):
    """In training mode `forward` gives loss and logits, in evaluation mode logits only.

    Being one module, every parameter that trains takes part in the gradients' exchange between processes, and
    autocast wraps this `forward` and leaves the model's own alone.
    """

    accepts_loss_kwargs = False  # the loss is the mean of a batch: Trainer divides it over accumulated parts

    def __init__(self, model: nn.Module, loss: LossFunction, extra: nn.Module | None) -> None:
        super().__init__()
        self.model, self.extra = model, extra
        self._loss = loss
        takes = getattr(model, "get_base_model", lambda: model)()
        self._takes = frozenset(inspect.signature(takes.forward).parameters) | {"labels", "row"}

    def forward(self, **batch: Tensor) -> dict[str, Tensor]:
        """`batch`: a collated batch; inputs that the model does not take (token types of MPNet) are left out."""
        batch = {name: tensor for name, tensor in batch.items() if name in self._takes}
        if not self.training:
            return {"logits": self.model(**inputs_of(batch)).logits}
        loss, logits = self._loss(self.model, batch)
        return {"loss": loss, "logits": logits}
