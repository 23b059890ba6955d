import math

import pytest

from compress.reporting.charts.confusion import confusion
from compress.reporting.charts.curves import curves
from compress.reporting.charts.gate_strip import gate_strip
from compress.reporting.charts.labels import place_labels
from compress.reporting.charts.lineage import ROW_HEIGHT, lineage
from compress.reporting.charts.reliability import reliability
from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP, Axis, from_zero, linear
from compress.reporting.charts.scatter import scatter
from compress.reporting.schema import MeasuresEntry, VerdictEntry
from tests.reporting import sample


def test_an_axis_lays_values_evenly():
    axis = Axis(0, 10, 100, 200)
    assert [axis.at(value) for value in (0, 5, 10)] == [100, 150, 200]
    assert [tick.label for tick in axis.ticks] == ["0", "2", "4", "6", "8", "10"]


def test_far_apart_values_get_a_logarithmic_axis_that_says_so():
    axis = from_zero([1.0, 100.0], 0, 100, title="ms")
    assert axis.logarithmic
    assert axis.title == "ms, log scale"
    assert axis.at(10.0) == 50


@pytest.mark.parametrize("values", [[0.0], [0.97], [-3.0, -3.0], [1e-9, 2e-9], [0.1, 4e6]])
def test_any_values_have_ticks_inside_the_axis(values):
    for axis in (
        linear(values, BOTTOM, TOP, title=""),
        from_zero([abs(value) for value in values], LEFT, RIGHT, title=""),
    ):
        places = [tick.at for tick in axis.ticks]
        assert places
        assert all(min(axis.start, axis.end) <= place <= max(axis.start, axis.end) for place in places)


def test_the_area_of_a_bubble_goes_with_size():
    teacher, int8, _ = scatter(sample.full_report()).bubbles
    assert math.isclose((int8.radius / teacher.radius) ** 2, 17.42 / 91.13, rel_tol=0.02)


def test_there_is_no_scatter_without_latency():
    assert scatter(sample.no_model_report()) is None


def test_labels_never_lie_on_bubbles_or_each_other():
    circles = [(LEFT + 20.0 * index, TOP + 120.0, 9.0) for index in range(10)]
    labels = [label for label in place_labels(circles, ["name"] * 10) if label]
    boxes = [label.box for label in labels]
    boxes += [(x - radius, y - radius, x + radius, y + radius) for x, y, radius in circles]
    inner = boxes[: len(labels)]
    for place, one in enumerate(inner):
        for other in inner[place + 1 :] + boxes[len(labels) :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_losses_and_scores_have_panels_of_their_own():
    loss, validation = curves(next(stage for stage in sample.full_report().stages if stage.name == "delta"))
    assert [line.title for line in loss.lines] == ["training loss", "validation loss"]
    assert [line.title for line in validation.lines] == ["accuracy", "f1_macro"]
    assert validation.lines[0].values == [(93, 0.9434), (186, 0.9717)]


def test_empty_bins_have_no_bar():
    measures = sample.full_report().stages[-1].measures
    bars = reliability(measures.reliability).bars
    assert [bar.bin.rows for bar in bars] == [11, 18, 23, 29, 344]
    assert reliability([]) is None


def test_the_confusion_matrix_gives_shares_of_the_true_label():
    found = confusion(sample.full_report().stages[-1].measures)
    assert found.totals == [103, 77, 81, 99, 65]
    assert found.grid[0][0].share == 97 / 103
    assert (found.mistakes[0].true, found.mistakes[0].predicted, found.mistakes[0].cell.rows) == (
        "business",
        "politics",
        3,
    )


def test_many_labels_become_a_list_of_mistakes():
    matrix = [[5 if row == column else int(column == row + 1) for column in range(40)] for row in range(40)]
    measures = MeasuresEntry(primary="accuracy", metrics={}, parameters=1, size_mb=1.0, confusion=matrix)
    found = confusion(measures)
    assert found.grid is None
    assert len(found.mistakes) == 39


def test_lineage_gives_far_edges_a_lane_of_their_own():
    drawn = lineage(sample.full_report())
    straight = [path for path in drawn.paths if "Q" not in path]
    assert len(drawn.paths) == 7
    assert len(straight) == 6
    assert drawn.height == 7 * ROW_HEIGHT


@pytest.mark.parametrize(("gate", "forbidden_side"), [("min.accuracy", "left"), ("max.size_mb", "right")])
def test_the_forbidden_side_of_a_gate_is_beyond_its_limit(gate, forbidden_side):
    strip = gate_strip(VerdictEntry(gate=gate, against=None, measured=2, limit=1, interval=None, verdict="pass"))
    assert strip.limit == (strip.forbidden_end if forbidden_side == "left" else strip.forbidden_start)
