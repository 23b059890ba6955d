"""A model whose linear layers bitsandbytes holds in 8 bits or in NF4, all but the head's: made, written, read.

In its folder `config.json` says how (`quantization_config`, transformers' own shape, so that transformers reads such a
folder too), `model.safetensors` holds codes and scales: no float base is needed, and nothing is unpickled. Knows
folders and models; what bitsandbytes does with one layer is `quantized_layers`.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from accelerate import init_empty_weights
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel

from compress.errors import ModelError
from compress.models.heads import head_modules, pooler_name
from compress.models.mapped import give_back
from compress.models.quantized_layers import Bits, is_quantized_layer, quantized_layer, restored_layer
from compress.models.structure import apply_structure, read_structure

WEIGHTS = "model.safetensors"
CONFIGURATION = "quantization_config"
_HOW = "_quantized_as"


@dataclass(frozen=True)
class Quantization:
    """How bitsandbytes holds the linear layers."""

    bits: Bits
    double_quantization: bool = False
    """Of nf4: the scales are quantized too."""

    @classmethod
    def of_base(cls, details: Mapping[str, Any]) -> Self | None:
        """What a delta's base was trained in, by its manifest's `details`; None: in full precision.

        Raises: ModelError for a word that this program does not know.
        """
        said = details.get("quantized_base")
        if said is None:
            return None
        if said != "nf4":
            raise ModelError(f"the delta was trained on a base in {said!r}; this program knows nf4: update it.")
        return cls("nf4", bool(details.get("double_quantization", False)))

    @classmethod
    def of_config(cls, config: PretrainedConfig, folder: Path) -> Self | None:
        """What config.json says; None: in full precision.

        Raises: ModelError for another library's quantization, or another kind of bitsandbytes'.
        """
        said = getattr(config, CONFIGURATION, None)
        if said is None:
            return None
        method, four = said.get("quant_method"), said.get("load_in_4bit") and said.get("bnb_4bit_quant_type")
        if method == "bitsandbytes" and said.get("load_in_8bit"):
            return cls(8)
        if method == "bitsandbytes" and four == "nf4":
            return cls("nf4", bool(said.get("bnb_4bit_use_double_quant", False)))
        raise ModelError(
            f"'{folder}' is quantized by {method} ({four or 'another kind'}): 8 bits and nf4 of bitsandbytes are read. "
            "Take the model in full precision."
        )

    def configuration(self, left: list[str]) -> dict[str, Any]:
        """As transformers writes it; `left`: dotted names of the linear layers that stay float."""
        config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_8bit=self.bits == 8, load_in_4bit=self.bits == "nf4", llm_int8_skip_modules=left,
            bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=self.double_quantization,
        )  # fmt: skip
        return dict(config.to_dict())


@dataclass(frozen=True)
class QuantizedLayers:
    """Which linear layers were quantized, by dotted names, and which stay float."""

    quantized: list[str]
    left: list[str]


def quantize_layers(
    model: PreTrainedModel,
    how: Quantization,
    *,
    compute: torch.dtype = torch.float32,
) -> QuantizedLayers:
    """Put layers of fewer bits in the place of the encoder's linear layers, one after the other.

    The head stays float, and so do the pooler below it and everything inside the embeddings. The float weights of a
    layer leave memory before those of the next one are read, whether they were mapped or copied there.

    Args:
        model: on the CPU in fp32; it is changed, and trains no more but for what is added to it.
        how: in how many bits.
        compute: the format of nf4's products.

    Raises: ModelError when nothing is left to be quantized; MissingExtraError without bitsandbytes.
    """
    if quantization_of(model) is not None:
        raise ModelError("the model is quantized already: quantize the one that it was made of.")
    kept_out = _kept_out(model)
    names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    chosen = [name for name in names if not any(name == one or name.startswith(f"{one}.") for one in kept_out)]
    if not chosen:
        raise ModelError(
            f"nothing to quantize: {type(model).__name__} has no linear layer outside its head "
            f"(it has {', '.join(names) or 'none at all'})."
        )
    for name in chosen:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        made = quantized_layer(layer, how.bits, double_quantization=how.double_quantization, compute=compute)
        model.set_submodule(name, made.train(layer.training))
        give_back(layer.weight)
    _mark(model, how)
    return QuantizedLayers(chosen, sorted(set(names) - set(chosen)))


def quantization_of(model: nn.Module) -> Quantization | None:
    """How `quantize_layers` or `read_quantized` made the model; None: it is float."""
    found: Quantization | None = getattr(model, _HOW, None)
    return found


def parameters_of(model: nn.Module) -> int:
    """How many parameters the model has in full precision; codes of 4 bits lie two in a byte."""
    layers = {id(layer.weight): layer for layer in model.modules() if isinstance(layer, nn.Linear)}
    return sum(
        layers[id(one)].in_features * layers[id(one)].out_features if id(one) in layers else one.numel()
        for one in model.parameters()
    )


def write_quantized(model: PreTrainedModel, how: Quantization, folder: Path) -> None:
    """Write config.json and model.safetensors."""
    config = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    left = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    setattr(config, CONFIGURATION, how.configuration(left))
    config.save_pretrained(folder)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})


def read_quantized(folder: Path, config: PretrainedConfig, how: Quantization) -> PreTrainedModel:
    """The model that `write_quantized` wrote, pruned or not; products of nf4 in fp32.

    Raises: ModelError when a tensor is missing, too many, or not of its layer's size.
    """
    found = {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}
    model = _skeleton(folder, config)
    names = [name for tensor in found if (name := is_quantized_layer(tensor)) is not None]
    if not names:
        raise ModelError("config.json says that it is quantized, and no layer is")
    for name in names:
        own = {tensor.removeprefix(f"{name}."): found.pop(tensor) for tensor in _of(name, found)}
        model.set_submodule(name, _restored(model, name, own, how))
    whole = {tensor: values.float() if values.is_floating_point() else values for tensor, values in found.items()}
    strange = model.load_state_dict(whole, strict=False, assign=True)
    lost = [one for one in strange.missing_keys if not any(one.startswith(f"{name}.") for name in names)]
    if lost or strange.unexpected_keys:
        raise ModelError(f"no fitting weights for {', '.join([*lost, *strange.unexpected_keys][:3])}")
    _mark(model, how)
    return model


def _restored(model: PreTrainedModel, name: str, own: Mapping[str, Tensor], how: Quantization) -> nn.Linear:
    layer = model.get_submodule(name)
    if type(layer) is not nn.Linear:
        raise ModelError(f"{name} is no linear layer")
    try:
        return restored_layer(layer, own, how.bits, double_quantization=how.double_quantization, compute=torch.float32)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error


def _skeleton(folder: Path, config: PretrainedConfig) -> PreTrainedModel:
    """The model as config.json and structure.json shape it, in fp32, its weights without memory (`meta`)."""
    plain = copy.deepcopy(config)
    delattr(plain, CONFIGURATION)
    structure = read_structure(folder)
    with init_empty_weights(include_buffers=False):
        model: PreTrainedModel = transformers.AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
            plain, dtype=torch.float32, trust_remote_code=False
        )
        if structure is not None:
            apply_structure(model, structure)
    return model


def _of(name: str, tensors: Mapping[str, Tensor]) -> list[str]:
    return [tensor for tensor in tensors if tensor.startswith(f"{name}.")]


def _kept_out(model: PreTrainedModel) -> list[str]:
    """Dotted names of the modules that stay float."""
    embeddings = model.get_input_embeddings()
    table = [name for name, module in model.named_modules() if module is embeddings]
    pooler = pooler_name(model)
    return [*head_modules(model), *table, *([pooler] if pooler is not None else [])]


def _mark(model: PreTrainedModel, how: Quantization) -> None:
    """Say it in our words, and in those that peft looks for."""
    setattr(model, _HOW, how)
    setattr(model, "is_loaded_in_8bit" if how.bits == 8 else "is_loaded_in_4bit", True)
