"""Marks change when files do, and are trusted only of what is at rest."""

import os

from compress.serving.marks import AT_REST_NS, at_rest, marks_of


def test_marks_stay_while_nothing_changes_and_differ_after_a_rename_into_the_folder(tmp_path):
    folder, pointer = tmp_path / "news", tmp_path / "news" / "latest"
    folder.mkdir()
    pointer.write_text("1\n")
    before = marks_of(folder, pointer)
    assert marks_of(folder, pointer) == before
    (tmp_path / "new").write_text("2\n")
    (tmp_path / "new").replace(pointer)
    after = marks_of(folder, pointer)
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True]


def test_a_change_whose_time_was_put_back_is_a_change(tmp_path):
    file = tmp_path / "latest"
    file.write_text("1\n")
    os.utime(file, ns=(0, 10**18))
    before = marks_of(file)
    moment = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == moment:  # the clock of a file system ticks some hundred times a second
        file.write_text("2\n")
        os.utime(file, ns=(0, 10**18))
    assert marks_of(file) != before


def test_what_is_not_there_has_no_mark_and_is_never_at_rest(tmp_path):
    assert marks_of(tmp_path / "none") == (None,)
    assert not at_rest((None,), now_ns=10**19)


def test_two_seconds_make_rest_and_the_future_none():
    marks = ((7, 10**18, 10**18 - 5),)
    assert [at_rest(marks, now_ns=10**18 + wait) for wait in (-1, 0, AT_REST_NS, AT_REST_NS + 1)] == [
        False, False, False, True,
    ]  # fmt: skip
    assert not at_rest((*marks, (8, 10**18 + 10, 0)), now_ns=10**18 + AT_REST_NS + 1)
