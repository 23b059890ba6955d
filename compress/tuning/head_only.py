"""Only the head trains: a linear probe of the pretrained encoder."""

from transformers import PreTrainedModel

from compress.models.heads import head_modules


def head_only(model: PreTrainedModel) -> None:
    """Freeze all of `model` but its head (and a pooler that the base brought no weights for)."""
    model.requires_grad_(requires_grad=False)
    for name in head_modules(model):
        model.get_submodule(name).requires_grad_(requires_grad=True)
