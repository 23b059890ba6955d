from compress.search.views.chart import search_chart
from tests.search.views.sample import front_of, study


def test_trials_lie_where_their_figures_say():
    report = study(60, pick=True)
    chart = search_chart(report)
    spots = {spot.point.key: spot for spot in chart.spots()}
    smallest = min(report.trials, key=lambda one: one.figures.get("size_mb", 99))
    assert spots[str(smallest.number)].x == min(spot.x for spot in spots.values() if spot.placed)
    best = max(report.trials, key=lambda one: one.figures.get("accuracy", 0))
    assert spots[str(best.number)].y == min(spot.y for spot in spots.values() if spot.placed)
    assert chart.chosen == str(report.pick.trial)


def test_the_staircase_goes_through_the_front_and_nothing_else():
    report = study(60)
    chart = search_chart(report)
    spots = {spot.point.key: spot for spot in chart.spots()}
    front = sorted((spots[str(number)] for number in front_of(report.trials, report.objectives)), key=lambda one: one.x)
    expected = f"M{front[0].x:g},{front[0].y:g}" + "".join(f"H{one.x:g}V{one.y:g}" for one in front[1:])
    assert chart.front_path() == expected


def test_the_same_values_again_count_as_little_as_the_first_time():
    base = study(60)
    broken = next(one for one in base.trials if one.broken)
    copied = base.trials[7].model_copy(
        update={"copied_from": broken.number, "feasible": False, "values": broken.values}
    )
    trials = [copied if one.number == 7 else one for one in base.trials]
    chart = search_chart(base.model_copy(update={"trials": trials}))
    assert next(point.style for point in chart.points if point.key == "7") == "out"


def test_one_objective_lies_against_the_order_of_the_trials():
    chart = search_chart(study(30, objectives=1))
    assert (chart.x, chart.y, chart.area) == ("trial", "accuracy", None)
    assert chart.front_path() == ""


def test_the_third_objective_is_the_area():
    chart = search_chart(study(60, objectives=3))
    assert (chart.x, chart.y, chart.area) == ("size_mb", "accuracy", "latency_ms")
    radii = {spot.point.key: spot.radius for spot in chart.spots()}
    assert max(radii.values()) == 15.0
    assert len(set(radii.values())) > 5


def test_constraints_are_walls_on_the_right_side_or_told_where_they_are_far_away():
    chart = search_chart(study(60))
    ((across, up),) = chart.laid["accuracy"].walls
    assert up.label == ">= 0.77"
    assert up.forbidden_to == chart.laid["accuracy"].y.start
    assert across.forbidden_to == chart.laid["accuracy"].x.start
    assert chart.laid["size_mb"].walls == []
    assert chart.laid["size_mb"].beyond == ["<= 900"]


def test_without_a_measured_trial_there_is_no_chart():
    assert search_chart(study(0)) is None
