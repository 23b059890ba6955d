"""What travels with a set: its manifest."""

from collections.abc import Mapping
from typing import Any

from compress.adapters.set_file import SetFile
from compress.chain.artifacts import LoraDelta
from compress.chain.manifest import AdapterFacts, Ancestor, SetManifest
from compress.steps.adapters.base import SetBase
from compress.steps.adapters.limits import Needs


def set_manifest(
    base: SetBase,
    set_file: SetFile,
    deltas: Mapping[str, LoraDelta],
    *,
    needs: Mapping[str, Needs],
    step: str,
    proof: Mapping[str, Any],
) -> SetManifest:
    """The manifest.

    Args:
        base: the graph that the adapters were put on.
        set_file: the description of the set.
        deltas: by name.
        needs: what each of them holds.
        step: that made the set.
        proof: what was found when it was proved, with `batch_invariance`.
    """
    any_delta = next(iter(deltas.values())).manifest
    numbers = sum(each.numbers for each in needs.values())
    return SetManifest(
        adapters={name: _facts(delta) for name, delta in deltas.items()}, base=set_file.base.title,
        base_digest=any_delta.base_digest, licence=any_delta.licence, parameters=any_delta.parameters + numbers,
        lineage=tuple(Ancestor(step=step, digest=delta.digest) for delta in deltas.values()),
        batch_invariant=base.scheme is None or bool(proof["batch_invariance"]["same"]),
        details={**base.details, **proof, **_widths(set_file, needs)},
    )  # fmt: skip


def _facts(delta: LoraDelta) -> AdapterFacts:
    facts = delta.manifest
    return AdapterFacts(
        delta=delta.digest, task=facts.task, labels=facts.labels, max_length=facts.max_length, dataset=facts.dataset
    )


def _widths(set_file: SetFile, needs: Mapping[str, Needs]) -> dict[str, Any]:
    return {
        "ranks": {name: each.rank for name, each in needs.items()},
        "sites": sum(len(group.sites) for group in set_file.groups),
        "groups": len(set_file.groups),
        "head": [layer.module for layer in set_file.head],
    }
