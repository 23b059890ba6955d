"""Versions never change, appear whole or not at all, and two writers do not meet."""

import json
import os
import re
import threading
import time
from pathlib import Path

import pytest

from compress.adapters.listing import listed
from compress.adapters.lock import one_writer
from compress.adapters.peft_folder import DELTA_FILES
from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import AdapterError
from tests.adapters.hand_made import LABELS, tiny_delta, tiny_set


@pytest.fixture
def folder(tmp_path):
    return AdapterSetFolder(tiny_set(tmp_path / "set"))


@pytest.fixture
def delta(tmp_path):
    return tiny_delta(tmp_path / "delta")


def files(folder: AdapterSetFolder) -> list[str]:
    """All that lies in the set's adapters, but the lock."""
    return sorted(str(path.relative_to(folder.path / "adapters")) for path in (folder.path / "adapters").rglob("*"))


def test_an_empty_set_has_no_adapters(folder):
    assert folder.names() == ()
    assert folder.versions("news") == ()
    with pytest.raises(AdapterError, match="the set has no adapter 'news'; there are none"):
        folder.latest("news")


def test_an_added_delta_is_there_with_its_three_files_only(folder, delta):
    (delta / "tokenizer.json").write_text("{}")
    (delta / "adapter_model.bin").write_text("a pickle")
    assert folder.add("news", delta) == 1
    assert (folder.names(), folder.versions("news"), folder.latest("news")) == (("news",), (1,), 1)
    version = folder.folder("news", 1)
    assert sorted(path.name for path in version.iterdir()) == sorted(DELTA_FILES)
    assert all((version / name).read_bytes() == (delta / name).read_bytes() for name in DELTA_FILES)
    assert folder.read("news", 1).facts.labels == LABELS
    assert not [path for path in files(folder) if "unfinished" in path]


def test_the_next_version_leaves_the_first_as_it_is(folder, delta, tmp_path):
    folder.add("news", delta)
    before = (folder.folder("news", 1) / "adapter_model.safetensors").read_bytes()
    assert folder.add("news", tiny_delta(tmp_path / "other", seed=1), promote=False) == 2
    assert folder.versions("news") == (1, 2)
    assert folder.latest("news") == 1
    folder.promote("news", 2)
    assert folder.latest("news") == 2
    assert (folder.folder("news", 1) / "adapter_model.safetensors").read_bytes() == before


def test_versions_are_sorted_as_numbers(folder, delta):
    for expected in range(1, 12):
        assert folder.add("news", delta) == expected
    assert folder.versions("news") == tuple(range(1, 12))


def test_a_number_is_never_given_twice(folder, delta):
    for _ in range(2):
        folder.add("news", delta, promote=False)
    folder.remove("news", 2)
    assert folder.add("news", delta) == 3
    folder.remove("news")
    assert folder.names() == ()
    assert folder.add("news", delta) == 4, "a server may still hold the old ones by their number"


def test_the_latest_is_removed_only_with_the_adapter(folder, delta):
    folder.add("news", delta)
    folder.add("news", delta)
    with pytest.raises(AdapterError, match=r"version 2 of news is the latest: promote another one \(1\) first"):
        folder.remove("news", 2)
    folder.remove("news", 1)
    folder.remove("news", 2)
    assert folder.names() == ()
    with pytest.raises(AdapterError, match="no adapter 'news'"):
        folder.latest("news")


def test_what_is_not_there_is_said_with_near_names(folder, delta):
    folder.add("news", delta)
    for act in (folder.latest, folder.remove):
        with pytest.raises(AdapterError, match=r"the set has no adapter 'new'; did you mean news\?"):
            act("new")
    for version in (0, 2):
        for act in (folder.promote, folder.folder, folder.remove):
            with pytest.raises(AdapterError, match=f"news has no version {version}, there are 1"):
                act("news", version)


def test_a_first_version_that_is_not_promoted_is_not_served(folder, delta):
    folder.add("news", delta, promote=False)
    with pytest.raises(AdapterError, match="no version of news is promoted, there are 1: `compress adapters promote`"):
        folder.latest("news")
    folder.promote("news", 1)
    assert folder.latest("news") == 1


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".x", "a..b", "a\0"])
def test_unsafe_names_reach_no_path(folder, delta, name, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    add, promote = (lambda name: folder.add(name, delta)), (lambda name: folder.promote(name, 1))
    for act in (folder.versions, folder.latest, folder.remove, add, promote):
        with pytest.raises(AdapterError, match="cannot name an adapter"):
            act(name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_delta_that_does_not_fit_leaves_nothing(folder, delta, tmp_path):
    folder.add("news", delta)
    before = files(folder)
    for number, changes in enumerate(({"rank": 5}, {"config": {"use_dora": True}}, {"manifest": {"base_digest": "e"}})):
        for name in ("news", "other"):
            with pytest.raises(AdapterError):
                folder.add(name, tiny_delta(tmp_path / f"{name}{number}", **changes))
    assert files(folder) == before
    assert folder.names() == ("news",)


def test_a_killed_add_leaves_nothing_that_is_seen(folder, delta, monkeypatch):
    """The rename never happens and nobody cleans up, as when the process is killed."""

    class Killed(BaseException):
        pass

    def killed(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", killed)
        broken.setattr("shutil.rmtree", lambda *_arguments, **_options: None)
        with pytest.raises(Killed):
            folder.add("news", delta)
    assert [path for path in files(folder) if ".unfinished-" in path], "it was killed in the middle"
    assert folder.names() == ()
    assert folder.versions("news") == ()
    assert listed(folder) == []
    assert folder.add("news", delta) == 1
    assert not [path for path in files(folder) if ".unfinished-" in path], "the next writer clears it away"


def test_a_disk_that_cannot_be_written_is_a_message(folder, delta, monkeypatch):
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compress.adapters.set_folder.fsync", full)
    with pytest.raises(AdapterError, match=re.escape("cannot be written: No space left on device")):
        folder.add("news", delta)
    monkeypatch.undo()
    assert folder.names() == ()


def test_concurrent_adds_give_a_version_each(folder, delta):
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(folder.add("news", delta))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [1, 2, 3, 4, 5, 6]
    assert folder.versions("news") == (1, 2, 3, 4, 5, 6)
    assert folder.latest("news") == 6


def test_the_latest_is_always_whole_while_it_changes(folder, delta):
    folder.add("news", delta)
    folder.add("news", delta)
    seen, done = set(), threading.Event()

    def promote() -> None:
        for turn in range(40):
            folder.promote("news", 1 + turn % 2)
        done.set()

    thread = threading.Thread(target=promote)
    thread.start()
    while not done.is_set():
        seen.add(folder.latest("news"))
    thread.join()
    assert seen == {1, 2}


def test_a_damaged_version_is_not_promoted_and_is_listed_as_such(folder, delta):
    folder.add("news", delta)
    folder.add("news", delta)
    weights = folder.folder("news", 1) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(AdapterError, match="is not a whole safetensors file"):
        folder.promote("news", 1)
    assert folder.latest("news") == 2
    (folder.folder("news", 2) / "manifest.json").write_text("{")
    row = listed(folder)[0]
    assert (row["name"], row["versions"], row["latest"], row["labels"]) == ("news", [1, 2], 2, None)
    assert "is not the manifest of a LoRA delta" in row["problem"]


@pytest.mark.parametrize("text", ["", "two", "01", "../1", "1\n2", "\xff", "9" * 500])
def test_a_pointer_that_says_nonsense_is_a_message(folder, delta, text):
    folder.add("news", delta)
    (folder.path / "adapters/news/latest").write_bytes(text.encode("latin-1"))
    with pytest.raises(AdapterError):
        folder.latest("news")
    folder.promote("news", 1)
    assert folder.latest("news") == 1


@pytest.mark.parametrize("text", ["", "two", "\xff"])
def test_a_damaged_last_number_says_what_to_write(folder, delta, text):
    for _ in range(2):
        folder.add("news", delta)
    last = folder.path / "adapters/news/.last"
    last.write_bytes(text.encode("latin-1"))
    before = files(folder)
    advice = "Write the highest number that a version of news ever had into that file: 2, or more."
    with pytest.raises(AdapterError, match=rf"\.last: .* is not a version of an adapter.* {re.escape(advice)}$"):
        folder.add("news", delta)
    assert files(folder) == before
    last.write_text("5\n")
    assert folder.add("news", delta) == 6


def test_a_writer_that_waited_while_a_run_put_another_set_there_goes_by_that_one(folder, delta, tmp_path):
    folder.add("news", delta)
    home, refused = folder.path, []
    narrow, other = tiny_delta(tmp_path / "narrow", rank=1), tiny_set(tmp_path / "other", max_rank=1)
    (other / "adapters").mkdir()

    def add() -> None:
        for name, given in (("narrow", narrow), ("wide", delta)):
            try:
                folder.add(name, given)
            except AdapterError as error:
                refused.append(str(error))

    thread = threading.Thread(target=add)
    with one_writer(home / "adapters"):
        thread.start()
        time.sleep(0.5)
        home.rename(tmp_path / "kept")
        other.rename(home)
    thread.join(30)
    assert AdapterSetFolder(home).names() == ("narrow",)
    assert AdapterSetFolder(tmp_path / "kept").names() == ("news",)
    (message,) = refused
    assert "has rank 2, this set takes up to 1" in message


def test_what_else_lies_there_is_no_adapter(folder, delta):
    folder.add("news", delta)
    adapters = folder.path / "adapters"
    (adapters / "notes.txt").write_text("")
    (adapters / "empty").mkdir()
    (adapters / ".hidden" / "1").mkdir(parents=True)
    (adapters / "a..b" / "1").mkdir(parents=True)
    (adapters / "news" / "01").mkdir()
    (adapters / "news" / "2").write_text("")
    assert folder.names() == ("news",)
    assert folder.versions("news") == (1,)


def test_a_listing_says_what_each_answers(folder, delta):
    folder.add("news", delta)
    row = listed(folder)[0]
    assert json.loads(json.dumps(row)) == row
    size_mb = sum((delta / name).stat().st_size for name in DELTA_FILES) / 1e6
    assert row == {
        "name": "news", "versions": [1], "latest": 1, "task": "text-classification", "labels": list(LABELS),
        "max_length": 32, "size_mb": pytest.approx(size_mb), "problem": None,
    }  # fmt: skip


def test_a_folder_that_is_no_set_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="is not an adapter set"):
        AdapterSetFolder(tmp_path)


def test_a_link_that_leads_to_itself_is_neither_an_adapter_nor_a_version(folder, delta):
    folder.add("news", delta)
    (folder.path / "adapters" / "loop").symlink_to("loop")
    (folder.path / "adapters" / "news" / "2").symlink_to("2")
    assert (folder.names(), folder.versions("news")) == (("news",), (1,))


def test_an_adapter_whose_folder_cannot_be_read_is_named_and_its_versions_say_why(folder, delta, monkeypatch):
    for name in ("news", "sentiment"):
        folder.add(name, delta)

    def refuse(path):
        if Path(path).name == "news":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr("os.scandir", refuse)
    assert folder.names() == ("news", "sentiment")
    with pytest.raises(AdapterError, match=r"news cannot be read: Permission denied\."):
        folder.versions("news")
    damaged, whole = listed(folder)
    assert (damaged["name"], damaged["versions"], damaged["size_mb"], damaged["latest"]) == ("news", [], 0.0, None)
    assert damaged["problem"].endswith("news cannot be read: Permission denied.")
    assert (whole["name"], whole["versions"], whole["problem"]) == ("sentiment", [1], None)
