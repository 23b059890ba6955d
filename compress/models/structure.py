"""`structure.json`: what a `config.json` cannot say of a pruned model: heads and neurons of each layer, embedding rank.

Knows how to read and write it, how to find it in a model, and how to give a model built from its configuration that
shape before its weights are loaded. Knows nothing of why a model has it.
"""

import json
from pathlib import Path

from pydantic import Field, ValidationError
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from compress.errors import ModelError
from compress.frozen import Frozen
from compress.models.blocks import Block, blocks, blocks_or_none
from compress.models.factorised import FactorisedEmbedding

STRUCTURE = "structure.json"
VERSION = 1


class LayerShape(Frozen):
    """One encoder layer."""

    heads: int = Field(ge=1)
    """Attention heads; how wide each is follows from config.json, which says the number before pruning."""
    neurons: int = Field(ge=1)
    """Width of the feed-forward part."""
    bias_heads: tuple[int, ...] | None = None
    """Which heads of the position bias that all layers share (MPNet's) are read, when not all."""


class Structure(Frozen):
    """The file."""

    version: int = Field(default=VERSION, ge=1)
    """Of this shape of file."""
    layers: tuple[LayerShape, ...] = ()
    """Bottom first; empty when config.json says it all."""
    embedding_rank: int | None = Field(default=None, ge=1)
    """The inner width of a factorised word embedding."""


def read_structure(folder: Path) -> Structure | None:
    """The structure of the model in `folder`; None when it has no such file.

    Raises: ModelError when the file is damaged or of a newer version.
    """
    file = folder / STRUCTURE
    if not file.is_file():
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(file, "it is not JSON") from error
    version = said.get("version") if isinstance(said, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise ModelError(f"'{file}' has version {version}, this program reads up to {VERSION}: update it.")
    try:
        return Structure.model_validate_json(json.dumps(said))
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(file, f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from error


def write_structure(model: PreTrainedModel, folder: Path) -> None:
    """Write it, or take an old one away when config.json says it all."""
    structure = structure_of(model)
    if structure is None:
        (folder / STRUCTURE).unlink(missing_ok=True)
        return
    text = json.dumps(structure.model_dump(exclude_none=True), indent=2)
    (folder / STRUCTURE).write_text(text + "\n", encoding="utf-8")


def structure_of(model: PreTrainedModel) -> Structure | None:
    """What config.json cannot say of the model; None when it says it all."""
    embedding = model.get_input_embeddings()
    rank = embedding.rank if isinstance(embedding, FactorisedEmbedding) else None
    shapes = tuple(_shape(block) for block in blocks_or_none(model) or ())
    plain = LayerShape(heads=config_heads(model.config), neurons=config_neurons(model.config)) if shapes else None
    if all(shape == plain for shape in shapes):
        shapes = ()
    return Structure(layers=shapes, embedding_rank=rank) if shapes or rank is not None else None


def apply_structure(model: PreTrainedModel, structure: Structure) -> None:
    """Give a model just built from its configuration that shape; its weights are those of nothing yet.

    Raises: ModelError when the structure does not fit the configuration.
    """
    if structure.layers:
        _shape_layers(blocks(model), structure.layers)
    if structure.embedding_rank is not None:
        model.set_input_embeddings(_factorised(model.get_input_embeddings(), structure.embedding_rank))


def say_even_width(model: PreTrainedModel) -> None:
    """Where all layers have equally many neurons, make config.json say how many: others can read that.

    A family whose neurons are not known keeps what it says.
    """
    widths = {block.neurons for block in blocks_or_none(model) or ()}
    if len(widths) == 1:
        setattr(model.config, neurons_name(model.config), widths.pop())


def config_heads(config: PretrainedConfig) -> int:
    """Heads a layer, as config.json says: before any was pruned."""
    return int(config.num_attention_heads)


def config_neurons(config: PretrainedConfig) -> int:
    """Feed-forward neurons a layer, as config.json says; DistilBERT calls it `hidden_dim`."""
    return int(getattr(config, neurons_name(config)))


def neurons_name(config: PretrainedConfig) -> str:
    """What config.json calls the width of the feed-forward part."""
    return "hidden_dim" if config.model_type == "distilbert" else "intermediate_size"


def _shape(block: Block) -> LayerShape:
    return LayerShape(heads=block.heads, neurons=block.neurons, bias_heads=block.bias_heads)


def _shape_layers(found: list[Block], shapes: tuple[LayerShape, ...]) -> None:
    if len(found) != len(shapes):
        raise ModelError(
            f"{STRUCTURE} speaks of {len(shapes)} layers, config.json of {len(found)}: they do not belong together."
        )
    for number, (block, shape) in enumerate(zip(found, shapes, strict=True)):
        kept = shape.bias_heads or tuple(range(shape.heads))
        heads_fit = len(set(kept)) == shape.heads and set(kept) <= set(range(block.heads))
        if not heads_fit or shape.neurons > block.neurons:
            raise ModelError(
                f"{STRUCTURE} gives layer {number} {shape.heads} heads and {shape.neurons} neurons, config.json has "
                f"room for {block.heads} and {block.neurons}: they do not belong together."
            )
        if len(kept) < block.heads:
            block.keep_heads(kept)
        if shape.neurons < block.neurons:
            block.keep_neurons(range(shape.neurons))


def _factorised(embedding: nn.Module, rank: int) -> FactorisedEmbedding:
    if not isinstance(embedding, nn.Embedding) or rank > embedding.embedding_dim:
        raise ModelError(f"{STRUCTURE} gives the word embedding rank {rank}, which does not fit config.json.")
    return FactorisedEmbedding(
        embedding.num_embeddings, rank, embedding.embedding_dim, padding_idx=embedding.padding_idx
    )


def _damaged(file: Path, why: str) -> ModelError:
    return ModelError(f"'{file}' is damaged ({why}): it is written with the weights; take the folder's original.")
