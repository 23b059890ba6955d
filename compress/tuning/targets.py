"""Which linear layers LoRA adapts: the query and value projections, whatever the family calls them.

Query and value at one rank is what Hu et al. (2021, section 7.1) found best for a given number of parameters. peft
knows no targets for DistilBERT and MPNet.
"""

from collections.abc import Mapping, Sequence

from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.layers import encoder_layers

QUERY_AND_VALUE: Mapping[str, tuple[str, ...]] = {
    "bert": ("query", "value"),
    "roberta": ("query", "value"),
    "xlm-roberta": ("query", "value"),
    "camembert": ("query", "value"),
    "electra": ("query", "value"),
    "distilbert": ("q_lin", "v_lin"),
    "mpnet": ("attn.q", "attn.v"),
    "deberta": ("in_proj",),
    "deberta-v2": ("query_proj", "value_proj"),
    "modernbert": ("Wqkv",),
}
OTHER_NAMES = (("query", "value"), ("q_proj", "v_proj"), ("q_lin", "v_lin"), ("query_proj", "value_proj"))


def lora_targets(model: PreTrainedModel, targets: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names that end the dotted names of the linear layers to adapt.

    `targets`: the user's; None: ours for this family, or, for an unknown one, common names that it has.

    Raises: ModelError when one of them names no linear layer, or none is known; lists those that there are.
    """
    there = _linear_names(model)
    if targets is not None:
        unknown = [target for target in targets if not any(ends_with(name, (target,)) for name in there)]
        if unknown:
            raise ModelError(f"targets: no linear layer is called {unknown[0]!r}; {_there_are(there)}")
        return tuple(targets)
    ours = QUERY_AND_VALUE.get(str(model.config.model_type))
    for names in (ours, *OTHER_NAMES):
        if names is not None and all(any(ends_with(name, (target,)) for name in there) for target in names):
            return tuple(names)
    raise ModelError(
        f"targets: auto knows none for '{model.config.model_type}': write a list of names; {_there_are(there)}"
    )


def _linear_names(model: PreTrainedModel) -> list[str]:
    """The linear layers inside one encoder layer: `attention.self.query`."""
    return [name for name, module in encoder_layers(model)[0].named_modules() if isinstance(module, nn.Linear)]


def ends_with(name: str, targets: Sequence[str]) -> bool:
    """Whether one of the targets names the module, as peft matches: the whole name or its end, at a dot."""
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _there_are(names: Sequence[str]) -> str:
    return f"a layer of the encoder has {', '.join(names)}."
