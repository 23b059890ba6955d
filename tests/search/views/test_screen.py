import io

import pytest
from rich.console import Console

from compress.search.views.screen import SearchScreen
from compress.search.views.tables import RunningTrial, importance_lines, pareto_table, trials_table
from tests.search.views.sample import long_names, study, trial


def plain(*parts, width=100):
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def test_without_a_terminal_every_trial_takes_two_lines():
    console = Console(file=io.StringIO(), width=200)
    before, after = study(2, wanted=3), study(3, wanted=3)
    with SearchScreen(console) as screen:
        screen.trial_done(before)
        screen.trial_started(2, after.trial(2).fields)
        screen.say("student: distill …")
        screen.warn("look [here]")
        screen.warn("look [here]")
        screen.trial_done(after)
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("2 of 3 trials")
    assert lines[1] == "trial 2: layers 4, keep 1536, learning_rate 0.000251, kind dynamic_int8 …"
    assert lines[3] == "warning: look [here]"
    one = after.trial(2)
    assert f"accuracy {one.figures['accuracy']:.4f}, size_mb {one.figures['size_mb']:.3f}" in lines[4]
    assert "in 47 s, 3 stages reused" in lines[4]
    assert lines[5].startswith("3 of 3 trials")
    assert screen.warnings == ["look [here]"]
    assert len(lines) == 6


def terminal(height=30, width=120):
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, _environ={"TERM": "xterm"})


def test_on_a_terminal_the_running_trial_says_what_it_does():
    console = terminal()
    with SearchScreen(console) as screen:
        screen.trial_done(study(12, wanted=30))
        screen.trial_started(12, trial(12).fields)
        screen.say("texts: reused (made in 4 s)")
        screen.say("student: distill …")
        with screen.track("training", 10) as advance:
            advance(4, note="loss 0.31")
            text = plain(screen._drawn(), width=140)
    assert "9 of 30 trials and 1 the same as another" in text
    assert "best so far: accuracy" in text
    assert "▸ 12" in text
    assert "training 40% (loss 0.31)" in text
    assert "s, 1 reused" in text
    assert "●" in text


def test_the_live_table_fits_the_screen_and_keeps_the_front():
    report = study(60)
    running = RunningTrial(60, trial(60).fields, doing="student: distill …", reused=3, seconds=12.0)
    text = plain(trials_table(report, running, most=14), width=80)
    assert len(text.splitlines()) <= 14 + 3
    rows = [line for line in text.splitlines() if line[:1] in "●★·○–✗=▸…"]
    assert len(rows) == 14
    for number in report.front[:13]:
        assert any(line.startswith(f"● {number} ") for line in rows)
    assert "▸ 60" in rows[-1]


def test_an_interrupted_search_leaves_no_live_table_behind():
    console = terminal()
    screen = SearchScreen(console)
    with pytest.raises(KeyboardInterrupt), screen:
        _interrupted(screen)
    with SearchScreen(console) as again:  # rich refuses a second live table while one is there
        again.trial_done(study(3))
    assert console.file.getvalue().endswith("\x1b[2K")


def _interrupted(screen):
    screen.trial_done(study(3))
    raise KeyboardInterrupt


def test_the_pareto_table_fits_eighty_columns_and_names_the_pick():
    report = study(60, pick=True)
    text = plain(pareto_table(report), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert f"★ {report.pick.trial}" in text
    assert "picked" in text
    assert "as written" in text
    assert "accuracy ↑" in text
    assert "size mb ↓" in text


def test_names_in_square_brackets_are_text():
    base = study(3)
    fields = [one.model_copy(update={"name": f"{one.name}[red]"}) for one in base.fields]
    assert "[red]" in plain(pareto_table(base.model_copy(update={"fields": fields})), width=200)


def test_long_names_wrap_and_nothing_is_lost():
    text = plain(pareto_table(long_names()), width=100)
    assert max(map(len, text.splitlines())) <= 100


def test_importances_are_said_the_most_important_first():
    lines = [line.plain for line in importance_lines(study(60))]
    assert lines[0] == "accuracy depends on keep 61%, learning_rate 24%, layers 12%, kind 3%"


def test_nothing_to_show_is_no_error():
    assert "trial" in plain(pareto_table(study(0)))
    with SearchScreen(terminal()) as screen:
        assert "preparing" in plain(screen._drawn())
        screen.trial_done(study(0, wanted=5))
        assert "0 of 5 trials" in plain(screen._drawn())


def test_on_a_terminal_warnings_stay_when_the_table_goes():
    console = terminal()
    with SearchScreen(console) as screen:
        screen.warn("the test rows were read before")
        screen.warn("the test rows were read before")
    assert console.file.getvalue().count("warning: the test rows were read before") == 1
