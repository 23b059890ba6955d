"""A pruned model out of its folder: built from config.json, given the shape of structure.json, then filled.

`from_pretrained` alone cannot do it: it takes every matrix to be as large as config.json says.
"""

from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import PretrainedConfig, PreTrainedModel

from compress.models.structure import Structure, apply_structure


def rebuild(
    folder: Path, config: PretrainedConfig, structure: Structure
) -> tuple[PreTrainedModel, list[str], list[str]]:
    """The model in fp32, and the names of parameters that were missing and that had other shapes: those are random.

    Raises: ModelError when the structure does not fit the configuration.
    """
    model: PreTrainedModel = transformers.AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        config, dtype=torch.float32, trust_remote_code=False
    )
    apply_structure(model, structure)
    found = {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}
    ours = model.state_dict()
    common = ours.keys() & found.keys()
    mismatched = sorted(name for name in common if ours[name].shape != found[name].shape)
    model.load_state_dict({name: found[name] for name in common - set(mismatched)}, strict=False)
    return model, sorted(ours.keys() - found.keys()), mismatched
