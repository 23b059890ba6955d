"""A student that is narrower than its teacher, its weights projected from the teacher's and then fitted layer by layer.

1. A basis P (width, hidden) of the residual stream: principal directions of the states on real texts (`narrow_basis`).
2. Projection: tables E P, what reads the stream W P, what writes to it Pᵀ W; heads and neurons by what they add to it.
3. Fit: layer norms do not commute with P, layers are missing and directions are lost. So from the bottom up, each
   product and each layer norm is moved by least squares to come nearest, on the same texts and with what the student
   has there, to what the teacher has in the layer that it came from (`narrow_fit`). No gradient steps.

Knows models and batches of tokens; not where the texts come from. Reconstruction by least squares, matrix by matrix, is
that of He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", 2017, section 3.1.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.distillation.narrow_basis import Projection, basis, covariance
from compress.distillation.narrow_fit import RIDGE_OF_HEAD, refit, refit_norm
from compress.distillation.narrow_heads import HeadMaps, head_energies, head_maps
from compress.distillation.narrow_parts import embeddings, head, norms
from compress.distillation.narrow_replay import Calls, flat, inputs_in_run, recorded
from compress.distillation.narrow_shape import Shape, config_for
from compress.models.blocks import Block, blocks
from compress.models.factorised import FactorisedEmbedding
from compress.progress import Progress

Batches = Callable[[], Iterable[Mapping[str, Tensor]]]
"""The texts as padded batches with `attention_mask`; the same each time."""


def random_student(teacher: PreTrainedModel, shape: Shape, *, layers: int, seed: int) -> PreTrainedModel:
    """A student of that shape as its family draws one; the caller's random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = type(teacher)(config_for(teacher, shape, layers=layers))
    student.train(mode=False)
    return student


@torch.no_grad()
def narrow_student(
    teacher: PreTrainedModel,
    layers: Sequence[int],
    shape: Shape,
    *,
    batches: Batches,
    projection: Projection = "pca",
    progress: Progress,
    description: str,
) -> PreTrainedModel:
    """A student of that shape out of those layers of the teacher, which stays as it is.

    Args:
        teacher: of a family that `narrow_parts` knows, in evaluation mode.
        layers: counted from 0, bottom first.
        shape: as `shape_for` made it.
        batches: some ten thousand tokens of training texts, without labels.
        projection: principal components, or single coordinates.
        progress: told the layers that are done.
        description: what the bar is called.
    """
    student = random_student(teacher, shape, layers=len(layers), seed=0)
    _keep_factorised(student, teacher)
    with progress.track(description, len(layers) + 2) as advance:
        calls = recorded(teacher, batches())
        turned = basis(_covariances(calls), hidden=shape.hidden, projection=projection)
        their_blocks, entering = blocks(teacher), calls[0].inputs() @ turned
        taken = [_Taken(calls[layer], their_blocks[layer]) for layer in layers]
        del calls
        kept = _heads_kept(taken, shape, shared=_shares_bias(teacher))
        _project_embeddings(student, teacher, turned, kept[0])
        _fit_embeddings(student, entering, batches)
        advance()
        ours = recorded(student, batches())
        for number, (one, theirs, block, heads) in enumerate(zip(ours, taken, blocks(student), kept, strict=True)):
            _fit_layer(one, block, theirs, turned, shape, heads)
            if number + 1 < len(ours):
                ours[number + 1].states = one.outputs()
            theirs.calls.states.clear()
            one.states.clear()
            advance()
        _fit_head(student, teacher, turned, batches)
        advance()
    return student


@dataclass
class _Taken:
    """One of the teacher's layers, and how it was called."""

    calls: Calls
    block: Block


def _covariances(calls: Sequence[Calls]) -> list[Tensor]:
    """Of what comes into each layer and of what the last one answers."""
    last = calls[-1]
    return [*(covariance(one.inputs()) for one in calls), covariance(flat(last.outputs(), last.masks))]


def _shares_bias(model: PreTrainedModel) -> bool:
    """Whether all layers add the same position bias, a head of it to each of their heads (MPNet)."""
    return any(name.endswith("relative_attention_bias") for name, _ in model.named_modules())


def _heads_kept(taken: Sequence[_Taken], shape: Shape, *, shared: bool) -> list[list[int]]:
    """For each layer the heads that add most to the stream; the same in all where they share a bias."""
    energies = [
        head_energies(
            one.calls.seen({"context": one.block.output})["context"], one.block.output.weight, heads=one.block.heads
        )
        for one in taken
    ]
    if shared:
        energies = [torch.stack([one / one.sum() for one in energies]).sum(dim=0)] * len(energies)
    return [sorted(one.topk(shape.heads).indices.tolist()) for one in energies]


def _keep_factorised(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    """A factorised word embedding stays one where that is smaller."""
    table = teacher.get_input_embeddings()
    width = int(student.config.hidden_size)
    if isinstance(table, FactorisedEmbedding) and table.rank < width:
        narrow = FactorisedEmbedding(table.num_embeddings, table.rank, width, padding_idx=table.padding_idx)
        student.set_input_embeddings(narrow)


def _project_embeddings(student: PreTrainedModel, teacher: PreTrainedModel, turned: Tensor, heads: list[int]) -> None:
    """Every table times the basis; of MPNet's shared position bias the heads that stay."""
    ours, theirs = embeddings(student).tables, embeddings(teacher).tables
    for name, table in theirs.items():
        mine = ours[name]
        if isinstance(mine, FactorisedEmbedding) and isinstance(table, FactorisedEmbedding):
            mine.table.weight.copy_(table.table.weight)
            mine.product.weight.copy_(turned.T @ table.product.weight)
        else:
            assert isinstance(mine, nn.Embedding)
            assert isinstance(table, (nn.Embedding, FactorisedEmbedding))
            mine.weight.copy_(table.weight @ turned)
    biases = dict(teacher.named_parameters())
    for name, parameter in student.named_parameters():
        if name.endswith("relative_attention_bias.weight"):
            parameter.copy_(biases[name][:, heads])


def _fit_embeddings(student: PreTrainedModel, targets: Tensor, batches: Batches) -> None:
    """The norm of the sum, to `targets`: what goes into the teacher's first layer, projected, (tokens, hidden)."""
    masks = [batch["attention_mask"].bool() for batch in batches()]
    norm = embeddings(student).norm
    inputs = inputs_in_run(student, batches(), {"sum": norm})["sum"]
    refit_norm(norm, flat(inputs, masks), targets)


def _fit_layer(ours: Calls, block: Block, theirs: _Taken, turned: Tensor, shape: Shape, heads: list[int]) -> None:
    """One layer of the student, projected and fitted from what comes in to what goes out."""
    their_norm, their_last = norms(theirs.calls.layer)
    our_norm, our_last = norms(ours.layer)
    their = theirs.calls.seen(
        {"context": theirs.block.output, "added": their_norm, "middle": theirs.block.widen,
         "neurons": theirs.block.narrow, "total": their_last}
    )  # fmt: skip
    coming, states = theirs.calls.inputs(), ours.inputs()
    _fit_attention(block, theirs.block, coming, states, their["context"], turned, shape, heads)
    context = ours.seen({"context": block.output})["context"]
    refit(block.output, context, their["added"] @ turned - states)
    added = states + block.output(context)
    refit_norm(our_norm, added, their_norm(their["added"]) @ turned)
    middle = our_norm(added)
    kept = _neurons_kept(theirs.block, their["neurons"], shape.neurons)
    _copy(block.widen, theirs.block.widen.weight[kept] @ turned, theirs.block.widen.bias[kept])
    refit(block.widen, middle, theirs.block.widen(their["middle"])[:, kept])
    _copy(block.narrow, turned.T @ theirs.block.narrow.weight[:, kept], turned.T @ theirs.block.narrow.bias)
    neurons = ours.seen({"neurons": block.narrow})["neurons"]
    refit(block.narrow, neurons, their["total"] @ turned - middle)
    refit_norm(our_last, middle + block.narrow(neurons), their_last(their["total"]) @ turned)


def _fit_attention(
    block: Block, theirs: Block, coming: Tensor, states: Tensor, context: Tensor, turned: Tensor, shape: Shape,
    heads: list[int],
) -> None:  # fmt: skip
    """Queries, keys and values of the heads that stay; the output product is only projected."""
    maps: HeadMaps = head_maps(
        theirs.query(coming), theirs.key(coming), context, theirs.output.weight, heads=theirs.heads, kept=heads,
        size=shape.head_size,
    )  # fmt: skip
    for mine, source, into in (
        (block.query, theirs.query, maps.query), (block.key, theirs.key, maps.key),
        (block.value, theirs.value, maps.value),
    ):  # fmt: skip
        _copy(mine, into @ source.weight @ turned, into @ source.bias)
        refit(mine, states, source(coming) @ into.T)
    _copy(block.output, turned.T @ theirs.output.weight @ maps.back, turned.T @ theirs.output.bias)


def _neurons_kept(block: Block, activations: Tensor, count: int) -> Tensor:
    """Those whose variance over tokens times the size of what they write is largest, in their order."""
    energies = activations.var(dim=0) * block.narrow.weight.square().sum(dim=0)
    return energies.topk(count).indices.sort().values


def _fit_head(student: PreTrainedModel, teacher: PreTrainedModel, turned: Tensor, batches: Batches) -> None:
    """The head's two products; of the inner numbers those that the logits vary with most."""
    ours, theirs = head(student), head(teacher)
    their = {
        name: torch.cat(found)
        for name, found in inputs_in_run(teacher, batches(), {"dense": theirs.dense, "last": theirs.last}).items()
    }
    energies = their["last"].var(dim=0) * theirs.last.weight.square().sum(dim=0)
    kept = energies.topk(ours.dense.out_features).indices.sort().values
    _copy(ours.dense, theirs.dense.weight[kept] @ turned, theirs.dense.bias[kept])
    _copy(ours.last, theirs.last.weight[:, kept], theirs.last.bias)
    inputs = torch.cat(inputs_in_run(student, batches(), {"dense": ours.dense})["dense"])
    refit(ours.dense, inputs, theirs.dense(their["dense"])[:, kept], ridge=RIDGE_OF_HEAD)
    inner = torch.cat(inputs_in_run(student, batches(), {"last": ours.last})["last"])
    refit(ours.last, inner, their["logits"], ridge=RIDGE_OF_HEAD)


def _copy(linear: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    linear.weight.copy_(weight)
    linear.bias.copy_(bias)
