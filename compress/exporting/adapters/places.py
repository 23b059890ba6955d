"""The places of a graph where adapters go, as groups: sites that read one tensor and add to columns of one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.adapters.set_file import Group, HeadLayer, Site
from compress.exporting.adapters.finding import FoundLayer


@dataclass(frozen=True)
class Place:
    """Where tables go into the graph: the names of what is read and of what is changed."""

    x: str
    y: str
    by_token: bool
    """x is (batch, length, width), else (batch, width)."""


@dataclass(frozen=True)
class GroupPlace:
    """A group and where it belongs."""

    group: Group
    place: Place


@dataclass(frozen=True)
class HeadPlace:
    """A layer of the head and where it stands."""

    layer: HeadLayer
    place: Place


def group_sites(found: Sequence[FoundLayer]) -> list[GroupPlace]:
    """One group for each pair of tensors, in the order in which the graph computes what they add to."""
    together: dict[tuple[str, str], list[FoundLayer]] = {}
    for one in sorted(found, key=lambda one: (one.y.place, one.first_column)):
        together.setdefault((one.x.name, one.y.name), []).append(one)
    return [GroupPlace(_group(layers), _place(layers[0])) for layers in together.values()]


def head_places(found: Sequence[FoundLayer]) -> list[HeadPlace]:
    """The layers in the order in which they are computed; the last gives the labels."""
    found = sorted(found, key=lambda one: one.y.place)
    outputs = [one.layer.outputs for one in found[:-1]] + [None]
    return [
        HeadPlace(HeadLayer(module=one.layer.module, inputs=one.layer.inputs, outputs=width), _place(one))
        for one, width in zip(found, outputs, strict=True)
    ]


def _group(layers: Sequence[FoundLayer]) -> Group:
    first = layers[0]
    sites = tuple(
        Site(module=one.layer.module, first_column=one.first_column, outputs=one.layer.outputs) for one in layers
    )
    return Group(inputs=first.layer.inputs, outputs=first.y.width, sites=sites)


def _place(found: FoundLayer) -> Place:
    return Place(found.x.name, found.y.name, by_token=found.y.tokens is not None)
