"""Clients are told what is wrong, not where the server keeps its files; the log is told all, once."""

import logging
from pathlib import Path

import pytest

from compress.errors import AdapterError
from compress.serving.reasons import MOST_TOLD, Reasons


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.WARNING, "compress.serving")
    return caplog


def test_places_inside_the_folder_are_named_from_there(tmp_path, told):
    error = AdapterError(f"{tmp_path}/adapters/news/1/manifest.json cannot be read; {tmp_path} was changed.")
    said = Reasons(tmp_path).said(error)
    assert said == "adapters/news/1/manifest.json cannot be read; the folder that is served was changed."
    assert told.messages == [str(error)]


def test_a_link_and_a_relative_folder_are_the_same_place(tmp_path, monkeypatch, told):
    (tmp_path / "real" / "set").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    reasons = Reasons(Path("link/set"))
    for place in ("link/set", tmp_path / "link/set", tmp_path / "real/set"):
        assert reasons.said(AdapterError(f"{place}/adapters/news is damaged.")) == "adapters/news is damaged."
    monkeypatch.chdir(tmp_path / "real/set")
    here = Reasons(Path())
    assert here.said(AdapterError("a. b./c adapters/news is damaged.")) == "a. b./c adapters/news is damaged."


def test_the_log_is_told_once_and_remembers_no_end_of_messages(tmp_path, told):
    reasons = Reasons(tmp_path)
    for _ in range(3):
        reasons.said(AdapterError("one"))
    assert told.messages == ["one"]
    for number in range(MOST_TOLD):
        reasons.said(AdapterError(str(number)))
    reasons.said(AdapterError("one"))
    assert told.messages.count("one") == 2
