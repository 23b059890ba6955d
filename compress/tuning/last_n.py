"""The last layers, the pooler and the head train; what is below stays as it was pretrained."""

from transformers import PreTrainedModel

from compress.errors import TrainingError
from compress.models.heads import pooler_name
from compress.models.layers import encoder_layers
from compress.tuning.head_only import head_only


def last_n(model: PreTrainedModel, *, layers: int) -> None:
    """Freeze all of `model` but its last `layers` encoder layers, its pooler and its head.

    Raises: TrainingError when the encoder has fewer layers.
    """
    stack = encoder_layers(model)
    if layers > len(stack):
        raise TrainingError(
            f"strategy last_n: {layers} layers are to train, the encoder has {len(stack)}: ask for fewer."
        )
    head_only(model)
    for layer in list(stack)[-layers:]:
        layer.requires_grad_(requires_grad=True)
    pooler = pooler_name(model)
    if pooler is not None:
        model.get_submodule(pooler).requires_grad_(requires_grad=True)
