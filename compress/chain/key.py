"""The key of a stage: sha256 of canonical JSON of everything that decides its artifact.

Step, version, seed, configuration without name, gates and measure, every edge replaced by the digest of the artifact it
names, and the fingerprint of everything read from outside.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from compress.chain.digests import Digests
from compress.chain.outside import LocalPath, Outside
from compress.chain.step import NOT_IN_KEY, Input, Step
from compress.frozen import Frozen


def said_by(step: Step, *, seed: int, inputs: Mapping[str, str], digests: Digests) -> dict[str, Any]:
    """Everything that decides the artifact, as JSON; `inputs` maps stage names to artifact digests."""
    configuration = {
        field: _canonical(value, inputs, digests)
        for field, value in step if field not in NOT_IN_KEY and not _unsaid(step, field)
    }  # fmt: skip
    return {
        "step": step.step,
        "version": step.version,
        "seed": step.seed if step.seed is not None else seed,
        "configuration": {field: value for field, value in configuration.items() if field != "step"},
    }


def key_of(said: Mapping[str, Any]) -> str:
    """The content address of what was said: 64 hexadecimal digits."""
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(value: Any, inputs: Mapping[str, str], digests: Digests) -> Any:
    """`value` as JSON in which edges are digests and outside things are fingerprints."""
    if isinstance(value, Input):
        return {"artifact": inputs[value.stage]}
    if isinstance(value, LocalPath):
        return {"read": value.fingerprint(digests)}
    if isinstance(value, Frozen):
        fields = {field: _canonical(inner, inputs, digests) for field, inner in value if not _unsaid(value, field)}
        return {**fields, "read": value.fingerprint(digests)} if isinstance(value, Outside) else fields
    if isinstance(value, Mapping):
        return {str(name): _canonical(inner, inputs, digests) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(inner, inputs, digests) for inner in value]
    return value


def _unsaid(value: Frozen, field: str) -> bool:
    return field in value.unsaid and getattr(value, field) == type(value).model_fields[field].default


def difference(old: Any, new: Any, place: str = "") -> str | None:
    """The first thing in which two `said` differ, in words; None when they are equal."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            inner = difference(old.get(name), new.get(name), f"{place}.{name}" if place else str(name))
            if inner:
                return inner
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = (
            difference(one, other, f"{place}.{index}") for index, (one, other) in enumerate(zip(old, new, strict=True))
        )
        return next((inner for inner in found if inner), None)
    return None if old == new else _changed(place, old, new)


def _changed(place: str, old: Any, new: Any) -> str:
    place = place.removeprefix("configuration.")
    if place.endswith(".artifact"):
        return f"{place.removesuffix('.artifact')} is another artifact"
    if place.endswith(".read"):
        return f"{place.removesuffix('.read')} changed outside"
    return f"{place} was {old!r} and is {new!r}"
