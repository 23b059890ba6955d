"""A fine-tuned model as a low-rank delta on its base: the differences of the linear layers, cut by SVD.

    W_model - W_base  =  U · S · V^T  ≈  (U_r · sqrt(S_r)) · (sqrt(S_r) · V_r^T)

Only the linear layers inside the encoder's layers can be carried. The head, and a pooler that was trained, are
saved whole; what else differs (embeddings, normalisation, biases) is counted, named and lost.

Source: Eckart and Young, 1936: no other matrices of that rank are nearer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.heads import head_modules, pooler_name
from compress.models.layers import encoder_layers_name
from compress.tuning.updates import LowRank


@dataclass(frozen=True)
class Extracted:
    """What was carried of the difference, and what was not."""

    updates: Mapping[str, LowRank]
    """By dotted name of the layer; layers that do not differ are missing."""
    head: tuple[str, ...]
    """Modules that are saved whole."""
    energy_kept: float
    """Share of the squared singular values of all linear layers' differences that the updates keep."""
    residue: float
    """Share of the squared difference between the encoders that lies outside of these layers' weights, and is lost."""
    lost: tuple[str, ...]
    """Names of the weights that differ and are not carried."""


def extract(
    model: PreTrainedModel, base: PreTrainedModel, *, rank: int | None = None, energy: float | None = None
) -> Extracted:
    """The low-rank part of what `model` has become since it was `base`; both stay as they are.

    Args:
        model: fine-tuned.
        base: with a head of the same labels, whatever its weights.
        rank: of every layer's update; or
        energy: the share of each layer's squared singular values that is kept, with the least rank that keeps it.

    Raises: ModelError when the two are not of one shape, or no linear layer differs.
    """
    head = _head(model, base)
    differences = _differences(model, base, head)
    linear = _linear_weights(base)
    outside = {name: change for name, change in differences.items() if name not in linear}
    changes = {name.removesuffix(".weight"): change for name, change in differences.items() if name in linear}
    if not changes:
        raise ModelError(
            "no linear layer of the model's encoder differs from the base's: there is nothing to extract. "
            "Name the base that it was trained from, and a model whose encoder was trained."
        )
    updates, kept, whole = {}, 0.0, 0.0
    for name, change in changes.items():
        updates[name], share = _cut(change, rank=rank, energy=energy)
        whole += _energy(change)
        kept += share * _energy(change)
    rest = sum(_energy(change) for change in outside.values())
    return Extracted(updates, head, min(kept / whole, 1.0), rest / (rest + whole), tuple(outside))


def take_head(model: PreTrainedModel, base: PreTrainedModel, *, head: tuple[str, ...]) -> None:
    """Give `base` the weights that `model` has in the modules `head`."""
    for name in head:
        base.get_submodule(name).load_state_dict(model.get_submodule(name).state_dict())


def _head(model: PreTrainedModel, base: PreTrainedModel) -> tuple[str, ...]:
    """What is saved whole: the head, and a pooler that the base has no weights for or that was trained."""
    head, pooler = head_modules(base), pooler_name(base)
    if pooler is None or pooler in head or pooler_name(model) != pooler:
        return head
    theirs = base.get_submodule(pooler).state_dict()
    trained = any(not weights.equal(theirs[name]) for name, weights in model.get_submodule(pooler).state_dict().items())
    return (pooler, *head) if trained else head


def _differences(model: PreTrainedModel, base: PreTrainedModel, head: tuple[str, ...]) -> dict[str, Tensor]:
    """Model minus base, of every parameter of the encoder in which they differ.

    Raises: ModelError when names or shapes do.
    """
    ours, theirs = (_encoder(one, head) for one in (model, base))
    odd = sorted(
        name
        for name in ours.keys() | theirs.keys()
        if name not in ours or name not in theirs or ours[name].shape != theirs[name].shape
    )
    if odd:
        raise ModelError(
            f"model and base are not of one shape: they differ in {odd[0]}"
            f"{f' and {len(odd) - 1} other weights' if len(odd) > 1 else ''}. "
            "Name the base that the model was trained from; for one that was pruned since, that is the pruned stage."
        )
    return {name: ours[name] - theirs[name] for name in ours if not ours[name].equal(theirs[name])}


def _encoder(model: PreTrainedModel, head: tuple[str, ...]) -> dict[str, Tensor]:
    """Every parameter outside of `head`, by name."""
    inside = tuple(f"{name}." for name in head)
    return {name: weights.detach() for name, weights in model.named_parameters() if not name.startswith(inside)}


def _linear_weights(model: PreTrainedModel) -> set[str]:
    """Names of the linear layers' weights inside the encoder's layers."""
    stack = f"{encoder_layers_name(model)}."
    modules = model.named_modules()
    return {f"{name}.weight" for name, one in modules if isinstance(one, nn.Linear) and name.startswith(stack)}


def _cut(change: Tensor, *, rank: int | None, energy: float | None) -> tuple[LowRank, float]:
    """The nearest update of that rank, or of the least rank that keeps `energy`; and the share that it keeps."""
    u, s, v = torch.linalg.svd(change, full_matrices=False)
    shares = (s.double() ** 2).cumsum(0) / (s.double() ** 2).sum()
    if energy is not None:
        rank = min(int((shares < energy).sum()) + 1, len(s))
    assert rank is not None
    rank = min(rank, len(s))
    root = s[:rank].sqrt()
    update = LowRank(root[:, None] * v[:rank], u[:, :rank] * root)
    return update, float(shares[rank - 1])


def _energy(change: Tensor) -> float:
    """The sum of its squares."""
    return float((change.double() ** 2).sum())
