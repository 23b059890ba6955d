"""Reads hidden states, queries, keys and values out of a model while it runs, through forward hooks.

Knows nothing of losses. A `Watch` is closed (or left, as a context manager) when nobody reads any more: then the model
has no hook of ours.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from compress.distillation.layers import attention_projections, checked_layers, encoder_layers

Reader = Callable[[], Tensor]
"""What the watched place answered in the last forward pass."""


class Watch:
    """The watched places of one model."""

    def __init__(self, model: PreTrainedModel, *, whose: str) -> None:
        """`whose` names the model in errors: `student` or `teacher`."""
        self._model, self._whose = model, whose
        self._seen: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def active(self) -> bool:
        """Whether anything is watched: if not, the model need not run for our sake."""
        return bool(self._handles)

    @property
    def layers(self) -> int:
        """How many layers the model has."""
        return len(encoder_layers(self._model))

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return int(self._model.config.hidden_size)

    @property
    def heads(self) -> int:
        """Attention heads of a layer, as the model was built."""
        return int(self._model.config.num_attention_heads)

    def attention_width(self, layer: int) -> int:
        """Of the queries in that layer: less than `width` where heads were taken out."""
        query, _, _ = attention_projections(self._model, layer)
        return int(query.get_parameter("weight").shape[0])

    def embeddings(self) -> Reader:
        """What goes into the first layer: shape (batch, length, width)."""
        first = encoder_layers(self._model)[0]

        def keep(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
            self._seen["embeddings"] = arguments[0]

        self._handles.append(first.register_forward_pre_hook(keep))
        return lambda: self._seen["embeddings"]

    def hidden(self, layer: int) -> Reader:
        """What comes out of a layer, counted from 0: shape (batch, length, width).

        Raises: ModelError: when there is no such layer.
        """
        checked_layers([layer], available=self.layers, whose=self._whose)
        return self._output_of(encoder_layers(self._model)[layer], f"hidden.{layer}")

    def attention(self, layer: int) -> tuple[Reader, Reader, Reader]:
        """Queries, keys and values of a layer, counted from 0: each (batch, length, width), heads side by side.

        Raises: ModelError: when there is no such layer, or the family is not known.
        """
        checked_layers([layer], available=self.layers, whose=self._whose)
        query, key, value = attention_projections(self._model, layer)
        return (
            self._output_of(query, f"query.{layer}"),
            self._output_of(key, f"key.{layer}"),
            self._output_of(value, f"value.{layer}"),
        )

    def close(self) -> None:
        """Take the hooks off and forget what was seen."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._seen.clear()

    def _output_of(self, module: nn.Module, name: str) -> Reader:
        def keep(_module: nn.Module, _arguments: tuple[Any, ...], output: Tensor | tuple[Tensor, ...]) -> None:
            self._seen[name] = output[0] if isinstance(output, tuple) else output  # MPNet's layers answer a tuple

        self._handles.append(module.register_forward_hook(keep))
        return lambda: self._seen[name]
