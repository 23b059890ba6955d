import pytest

from compress.reporting.charts.plane import Figure, Point, plane, staircase
from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP


def point(key, **figures):
    return Point(key, key, "", figures, "plain", ())


FIGURES = [Figure("accuracy", "accuracy", "maximize"), Figure("size", "size", "minimize"), Figure("other", "other")]


def test_small_is_left_and_good_is_up():
    made = plane(
        [point("a", accuracy=0.9, size=2.0), point("b", accuracy=0.8, size=1.0)], FIGURES, x="size", y="accuracy"
    )
    a, b = made.spots()
    assert LEFT < b.x < a.x < RIGHT
    assert TOP < a.y < b.y < BOTTOM
    assert made.chosen == "b"
    assert set(made.laid) == {"accuracy", "size"}


def test_what_has_no_such_figure_is_kept_but_not_placed():
    made = plane([point("a", accuracy=0.9, size=2.0), point("b", size=1.0)], FIGURES, x="size", y="accuracy")
    assert [spot.placed for spot in made.spots()] == [True, False]


def test_nothing_in_common_is_no_chart():
    assert plane([point("a", accuracy=0.9), point("b", size=1.0)], FIGURES, x="size", y="accuracy") is None
    assert plane([], FIGURES, x="size", y="accuracy") is None


def test_equal_values_and_zeros_have_a_place():
    made = plane(
        [point("a", accuracy=0.0, size=0.0), point("b", accuracy=0.0, size=0.0)], FIGURES, x="size", y="accuracy"
    )
    assert {(spot.x, spot.y) for spot in made.spots()} == {((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2)}


def test_figures_far_apart_get_a_logarithmic_axis():
    made = plane(
        [point("a", accuracy=0.9, size=1.0), point("b", accuracy=0.8, size=100.0)], FIGURES, x="size", y="accuracy"
    )
    assert made.laid["size"].x.logarithmic
    assert made.laid["size"].x.title == "size, log scale"


@pytest.mark.parametrize(
    ("left", "up", "path"),
    [
        (True, True, "M1,3H2V2H4V1"),
        (False, True, "M4,1"),
        (True, False, "M1,3H3V4"),
        (False, False, "M4,1H3V4"),
    ],
)
def test_a_staircase_joins_what_no_other_beats(left, up, path):
    places = [(1.0, 3.0), (2.0, 2.0), (3.0, 4.0), (4.0, 1.0)]  # canvas: y grows downwards
    expected = path if "H" in path else ""
    assert staircase(places, left_is_better=left, up_is_better=up) == expected


def test_hostile_names_stay_inside_the_json():
    made = plane(
        [point("a", accuracy=0.9, size=2.0)],
        [Figure("accuracy", "</script><b>", "maximize"), Figure("size", "size & more")],
        x="size",
        y="accuracy",
    )
    assert "<" not in made.data()
    assert "&" not in made.data()
