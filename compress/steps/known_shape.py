"""How deep and wide a stage's model will be, as far as the file and the base's `config.json` say it before any work."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from compress.chain.artifacts import Checkpoint, LoraDelta
from compress.chain.outside import HUB, ModelSource
from compress.chain.step import Loc, Step, edges
from compress.errors import CompressError
from compress.steps.base_model import BaseStage
from compress.steps.student import Choice, Layers, Student

DEPTH = ("num_hidden_layers", "n_layers")
WIDTH = ("hidden_size", "dim")
"""What families call it in their configuration; the latter are DistilBERT's."""


@dataclass(frozen=True)
class KnownShape:
    """None: not known before the stage runs."""

    layers: int | None = None
    hidden: int | None = None


def known_shape(stage: str, earlier: Mapping[str, Step]) -> KnownShape:
    """Of the model that `stage` makes, or that its delta stands on."""
    step = earlier.get(stage)
    student, base = getattr(step, "student", None), getattr(step, "base", None)
    if step is None:
        return KnownShape()
    if isinstance(base, ModelSource):
        return _of_folder(base)
    if isinstance(base, BaseStage):
        return known_shape(base.stage.stage, earlier)
    if isinstance(student, Student):
        return _of_student(student, KnownShape() if student.layers is None else _of_source(step, earlier))
    found = _of_source(step, earlier)
    return replace(found, layers=None) if _may_drop_layers(step) else found


def how_many(layers: Layers) -> tuple[int, int]:
    """How many layers a student asks for, and how many its teacher needs to have for that."""
    if isinstance(layers, Choice):
        return layers.keep, layers.keep
    return (len(layers), max(layers) + 1) if isinstance(layers, list) else (layers, layers)


def about_shape(student: Student, teacher: KnownShape) -> Iterator[tuple[Loc, str]]:
    """What a student of `layers` asks for and its teacher will not have."""
    if student.layers is not None and teacher.layers is not None and how_many(student.layers)[1] > teacher.layers:
        last = teacher.layers - 1
        asked = f"up to {last}" if isinstance(student.layers, list) else f"1 to {teacher.layers}"
        yield ("student", "layers"), f"the teacher has {teacher.layers} layers: ask for {asked}"
    if student.hidden is not None and teacher.hidden is not None and student.hidden > teacher.hidden:
        yield ("student", "hidden"), f"the teacher is {teacher.hidden} wide: ask for at most that"


def _of_source(step: Step, earlier: Mapping[str, Step]) -> KnownShape:
    """Of the first model among what the step reads: its teacher, or what it changes."""
    models = [edge.stage for edge in edges(step).values() if edge.stage in earlier]
    first = next((one for one in models if earlier[one].produces() in (Checkpoint, LoraDelta)), None)
    return KnownShape() if first is None else known_shape(first, earlier)


def _of_student(student: Student, teacher: KnownShape) -> KnownShape:
    layers = None if student.layers is None else how_many(student.layers)[0]
    if student.base is not None:
        return _of_folder(student.base)
    return KnownShape(layers, student.hidden or teacher.hidden)


def _may_drop_layers(step: Step) -> bool:
    return getattr(getattr(step, "method", None), "kind", None) == "layers"


def _of_folder(base: ModelSource) -> KnownShape:
    """Of a base on this machine; a hub is not asked, and whoever reads the base says what is wrong with it."""
    if base.scheme == HUB:
        return KnownShape()
    try:
        config = json.loads((base.resolve() / "config.json").read_text(encoding="utf-8"))
    except (CompressError, OSError, ValueError):
        return KnownShape()
    return KnownShape(_number(config, DEPTH), _number(config, WIDTH)) if isinstance(config, dict) else KnownShape()


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if type(config.get(name)) is int), None)
