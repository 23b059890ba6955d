r"""Ranks and scales of single layers, by patterns of module names, as peft matches them.

A pattern is a regular expression for the end of a dotted name, from a dot on: `query`, `layer.0.attention.self.query`,
`layer\.[01]\..*`. A layer may match one of them only, so that their order, which a key does not see, is nothing.
"""

from collections.abc import Collection, Mapping
from typing import TypeVar

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils.other import get_pattern_key

from compress.errors import ModelError

NumberT = TypeVar("NumberT", int, float)


def adapted_layers(delta: PeftModel) -> dict[str, LoraLayer]:
    """The layers with adapters by their names in the plain model: `bert.encoder.layer.0.attention.self.query`."""
    inner = delta.get_base_model()
    return {name: module for name, module in inner.named_modules() if isinstance(module, LoraLayer)}


def value_of(name: str, patterns: Mapping[str, NumberT], *, default: NumberT, word: str) -> NumberT:
    """What the patterns say of the layer `name`.

    Raises: ModelError when two of them match.
    """
    found = [pattern for pattern in patterns if _matches(pattern, name)]
    if len(found) > 1:
        raise ModelError(f"{word}: {name} matches {found[0]!r} and {found[1]!r}: write them so that one of them does.")
    return patterns[found[0]] if found else default


def check_patterns(patterns: Collection[str], layers: Collection[str], *, word: str) -> None:
    """Each pattern must match one of the adapted layers.

    Raises: ModelError naming one that has no effect.
    """
    idle = [pattern for pattern in patterns if not any(_matches(pattern, name) for name in layers)]
    if idle:
        names = sorted(layers)
        raise ModelError(
            f"{word}: {idle[0]!r} matches no adapted layer; adapted are {', '.join(names[:4])}"
            f"{f' and {len(names) - 4} more' if len(names) > 4 else ''}: write the end of such a name."
        )


def _matches(pattern: str, name: str) -> bool:
    matched: str = get_pattern_key([pattern], name)  # the name itself when the pattern does not match
    return matched == pattern
