import io

import pytest
from rich.console import Console

from compress.reporting.rich_progress import RichProgress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def lines_of(total, seconds_each):
    clock, console = Clock(), Console(file=io.StringIO(), width=100)
    with RichProgress(console, clock=clock).track("training", total) as advance:
        for index in range(total):
            clock.now += seconds_each
            advance(1, note=f"loss {index}")
    return console.file.getvalue().splitlines()


def test_without_a_terminal_there_is_a_line_for_about_every_tenth():
    lines = lines_of(total=200, seconds_each=0.5)
    assert lines[0] == "training …"
    assert lines[1] == "training: 10%, about 1 min 30 s left (loss 19)"
    assert lines[-1] == "training: done in 1 min 40 s"
    assert len(lines) == 11


def test_slow_work_is_heard_of_every_half_minute():
    assert len(lines_of(total=20, seconds_each=60)) == 21


def test_quick_work_takes_two_lines():
    assert lines_of(total=1000, seconds_each=0.001) == ["training …", "training: done in 1.0 s"]


def test_on_a_terminal_bars_leave_one_line_behind():
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    progress = RichProgress(console)
    with progress.track("outer [x]", 2) as outer:
        with progress.track("inner", 1) as inner:
            inner(note="accuracy [0.9]")
        progress.say("a line [in between]")
        outer(2)
    text = console.file.getvalue()
    assert "outer [x]: done in" in text
    assert "a line [in between]" in text


def test_no_color_is_honoured():
    environment = {"TERM": "xterm", "NO_COLOR": "1"}
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ=environment)
    RichProgress(console).warn("look out")
    assert "\x1b[33m" not in console.file.getvalue()


def test_warnings_are_kept():
    progress = RichProgress(Console(file=io.StringIO()))
    progress.warn("no better than [the] majority class")
    assert progress.warnings == ["no better than [the] majority class"]
    assert "warning: no better than [the] majority class" in progress.console.file.getvalue()


def test_an_interrupted_bar_is_taken_away():
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    progress = RichProgress(console)
    with pytest.raises(KeyboardInterrupt), progress.track("training", 2):
        raise KeyboardInterrupt
    progress.say("interrupted")
    assert "training: done" not in console.file.getvalue()
    assert console.file.getvalue().rstrip().endswith("interrupted")
