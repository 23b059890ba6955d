"""A student made out of some of the teacher's layers.

Knows one way of making a smaller model: fewer layers, everything else (embeddings, pooler, head) copied. A student of
another shape is any other pretrained model and is not made here.

Source: Sanh et al., "DistilBERT, a distilled version of BERT", 2019, section 3 (a student of every other layer).
"""

import copy
from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from compress.distillation.layers import checked_layers, encoder_layers
from compress.errors import ModelError


def spread_layers(teacher_layers: int, student_layers: int) -> tuple[int, ...]:
    """Evenly spread layers of the teacher, counted from 0, the first and the last included.

    Student layer i takes teacher layer i · (L - 1) / (n - 1), rounded to the nearest and halves down: 6 → 3 is 0, 2, 5
    and 12 → 6 is 0, 2, 4, 7, 9, 11, as DistilBERT chose. A single layer is the first: it was trained on the embeddings.

    Raises: ModelError: when the teacher has fewer layers than are asked for.
    """
    if not 1 <= student_layers <= teacher_layers:
        raise ModelError(
            f"the teacher has {teacher_layers} layers, the student cannot take {student_layers} of them: "
            f"ask for 1 to {teacher_layers}."
        )
    gaps = max(student_layers - 1, 1)
    return tuple(nearest(index * (teacher_layers - 1), gaps) for index in range(student_layers))


def nearest(numerator: int, denominator: int) -> int:
    """The integer nearest to the quotient, halves down."""
    return -((denominator - 2 * numerator) // (2 * denominator))


def student_from_layers(teacher: PreTrainedModel, layers: int | Sequence[int]) -> PreTrainedModel:
    """A copy of the teacher with only those layers, in that order; the teacher stays as it is.

    Args:
        teacher: a BERT, RoBERTa, DistilBERT or MPNet with a head.
        layers: how many, evenly spread (`spread_layers`), or which, counted from 0.

    Returns: a model whose configuration says the new number of layers, so that it is saved and loaded as any other.

    Raises: ModelError: for layers that the teacher lacks, or a family that is not known.
    """
    available = len(encoder_layers(teacher))
    chosen = layers_chosen(available, layers)
    student = copy.deepcopy(teacher)
    kept = encoder_layers(student)
    _replace(student, kept, nn.ModuleList(kept[layer] for layer in chosen))
    student.config.num_hidden_layers = len(chosen)
    return student


def layers_chosen(available: int, layers: int | Sequence[int]) -> tuple[int, ...]:
    """The teacher's layers that the student takes, out of `available`, counted from 0.

    Raises: ModelError: for layers that the teacher lacks.
    """
    if isinstance(layers, int):
        return spread_layers(available, layers)
    return checked_layers(layers, available=available, whose="teacher")


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put `new` where `old` stands."""
    path = next(name for name, module in model.named_modules() if module is old)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)
