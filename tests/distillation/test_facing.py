import pytest

from compress.distillation.facing import facing_layers, patient_layers, relation_heads_for
from compress.errors import ModelError


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (3, 6, [(0, 1), (1, 3), (2, 5)]),
        (4, 12, [(0, 2), (1, 5), (2, 8), (3, 11)]),
        (4, 6, [(0, 0), (1, 2), (2, 3), (3, 5)]),
        (3, 1, [(0, 0), (1, 0), (2, 0)]),
        (1, 6, [(0, 5)]),
    ],
)
def test_facing_layers_have_the_same_share_of_the_model_below_them(student, teacher, expected):
    assert facing_layers(student, teacher) == expected


@pytest.mark.parametrize(
    ("pairing", "student", "expected"),
    [
        ("skip", 6, [2, 4, 6, 8, 10]),
        ("last", 6, [7, 8, 9, 10, 11]),
        ("skip", 3, [4, 8]),
        ("last", 3, [10, 11]),
        ("skip", 12, list(range(1, 12))),
        ("last", 12, list(range(1, 12))),
    ],
)
def test_patient_layers_of_twelve_are_the_papers(pairing, student, expected):
    """Sun et al. 2019, section 3, counted from 1; the student's last layer has no part."""
    pairs = patient_layers(student, 12, pairing=pairing)
    assert [below for below, _ in pairs] == list(range(student - 1))
    assert [above + 1 for _, above in pairs] == expected


def test_too_few_layers_for_patience_are_refused():
    with pytest.raises(ModelError, match="layers below the last, and the student has one"):
        patient_layers(1, 12, pairing="skip")
    with pytest.raises(ModelError, match="the student has 6, the teacher 4: take pairing skip"):
        patient_layers(6, 4, pairing="last")


@pytest.mark.parametrize(
    ("widths", "heads", "expected"), [((384, 768), 12, 12), ((312, 768), 12, 12), ((100, 75), 12, 5)]
)
def test_relation_heads_divide_both_widths(widths, heads, expected):
    assert relation_heads_for(widths=widths, teacher_heads=heads) == expected


def test_relation_heads_asked_for_are_taken_or_refused():
    assert relation_heads_for(widths=(384, 768), teacher_heads=12, asked=48) == 48
    with pytest.raises(ModelError, match=r"relation_heads is 5, .* width 384 .* 768: choose a divisor of 384"):
        relation_heads_for(widths=(384, 768), teacher_heads=12, asked=5)
