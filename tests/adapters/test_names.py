"""Names become folders: what passes is safe in any path."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.adapters.names import check_name, check_version
from compress.errors import AdapterError


@pytest.mark.parametrize("name", ["news", "a", "Ab-9_x.v2", "0", "x" * 64])
def test_usual_names_pass(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "../up",
        "a/b",
        "a\\b",
        "/abs",
        "-x",
        ".hidden",
        "x" * 65,
        "a b",
        "a\n",
        "a\0",
        "ä",
        "x\u202e",
    ],
)
def test_unsafe_names_are_refused(name):
    with pytest.raises(AdapterError, match="cannot name an adapter: 1 to 64 letters"):
        check_name(name)


def test_a_message_does_not_repeat_a_long_name():
    with pytest.raises(AdapterError) as caught:
        check_name("x" * 1_000_000)
    assert len(str(caught.value)) < 400


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9._/\\-]{1,70}")))
def test_what_passes_stays_inside_its_folder(name):
    try:
        passed = check_name(name)
    except AdapterError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        assert (kind("adapters") / passed).parts == ("adapters", passed)
    assert passed not in {".", ".."}
    assert passed.isascii()
    assert passed.isprintable()


@given(st.integers(min_value=1, max_value=999_999_999))
def test_versions_are_numbers_as_people_write_them(version):
    assert check_version(str(version)) == version


@given(st.text(max_size=12))
def test_a_version_is_read_only_as_it_is_written(text):
    try:
        found = check_version(text)
    except AdapterError:
        return
    assert str(found) == text
    assert found > 0


@pytest.mark.parametrize("text", ["0", "01", "-1", "1.0", "1\n", " 1", "", "latest", "٣", "1" * 10])
def test_other_versions_are_refused(text):
    with pytest.raises(AdapterError, match="versions are 1, 2, 3"):
        check_version(text)
