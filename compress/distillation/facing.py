"""Which of the student's layers face which of the teacher's, and how many relation heads two layers can share.

Knows numbers only.
"""

import math
from typing import Literal

from compress.distillation.student import nearest
from compress.errors import ModelError

Pairing = Literal["skip", "last"]


def facing_layers(student_layers: int, teacher_layers: int) -> list[tuple[int, int]]:
    """Pairs (student layer, teacher layer): after i of n layers stands what the teacher has after i · L / n of its own.

    The last layers always face each other (TinyBERT's uniform mapping, Jiao et al. 2020, section 4.2).
    """
    after = (max(nearest((layer + 1) * teacher_layers, student_layers), 1) for layer in range(student_layers))
    return [(layer, above - 1) for layer, above in enumerate(after)]


def patient_layers(student_layers: int, teacher_layers: int, *, pairing: Pairing) -> list[tuple[int, int]]:
    """Pairs for patient distillation (Sun et al. 2019, section 3): all of the student's layers but the last.

    Of 12 layers a student of 6 faces, counted from 1, 2, 4, 6, 8, 10 by `skip` and 7, 8, 9, 10, 11 by `last`.

    Raises: ModelError: when the student has one layer only, or for `last` more than the teacher.
    """
    if student_layers < 2:
        raise ModelError("patient compares the layers below the last, and the student has one: leave patient out.")
    if pairing == "skip":
        return facing_layers(student_layers, teacher_layers)[:-1]
    if student_layers > teacher_layers:
        raise ModelError(
            f"patient with pairing last needs a teacher of at least as many layers: the student has {student_layers}, "
            f"the teacher {teacher_layers}: take pairing skip."
        )
    return [(layer, teacher_layers - student_layers + layer) for layer in range(student_layers - 1)]


def relation_heads_for(*, widths: tuple[int, int], teacher_heads: int, asked: int | None = None) -> int:
    """The number of relation heads: the one asked for, or the largest up to `teacher_heads` that divides both widths.

    Raises: ModelError: when the one asked for does not divide both widths.
    """
    common = math.gcd(*widths)
    if asked is None:
        return max(heads for heads in range(1, teacher_heads + 1) if common % heads == 0)
    if common % asked:
        raise ModelError(
            f"relation_heads is {asked}, which does not divide both the student's width {widths[0]} and the teacher's "
            f"{widths[1]}: choose a divisor of {common}."
        )
    return asked
