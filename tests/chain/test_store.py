import json
import multiprocessing
import os
import signal
import time

import pytest
import torch
from safetensors.torch import save_file

from compress.chain.store import Store
from compress.chain.stored import RECORD
from compress.errors import StoreError
from compress.progress import Silent

KEY = "a" * 64


def write(text="content"):
    def build(folder):
        (folder / "file.txt").write_text(text)
        return {"warnings": ["mind the gap"]}

    return build


def never(folder):
    raise AssertionError("made twice")


def make(store, build=None, key=KEY, **options):
    return store.make(key, kind="Checkpoint", said={"step": "fake"}, build=build or write(), **options)


def test_what_was_made_is_found_and_not_made_again(tmp_path):
    first = make(Store(tmp_path))
    second = make(Store(tmp_path), never)
    assert first.made_now
    assert not second.made_now
    assert second.digest == first.digest
    assert second.record["notes"] == {"warnings": ["mind the gap"]}
    assert (second.path / "file.txt").read_text() == "content"


def test_the_record_holds_provenance(tmp_path):
    record = json.loads((make(Store(tmp_path)).path / RECORD).read_text())
    assert {"libraries", "git_commit", "platform", "python"} <= set(record["provenance"])
    assert record["said"] == {"step": "fake"}


def test_everybody_may_read_what_was_made_whatever_wrote_it(tmp_path):
    def build(folder):
        (folder / "below").mkdir(mode=0o700)
        save_file({"weight": torch.zeros(1)}, folder / "below" / "model.safetensors")

    made = make(Store(tmp_path), build).path
    modes = {path.relative_to(made).as_posix(): path.stat().st_mode & 0o777 for path in [made, *made.rglob("*")]}
    assert modes == {
        ".": 0o755, "below": 0o755, "below/model.safetensors": 0o644, RECORD: 0o644,
    }  # fmt: skip


def test_a_folder_without_its_record_does_not_exist(tmp_path):
    store = Store(tmp_path)
    (make(store).path / RECORD).unlink()
    assert store.find(KEY) is None
    assert make(store, write("new")).made_now


def test_a_damaged_artifact_is_found_said_and_made_again(tmp_path):
    file = make(Store(tmp_path)).path / "file.txt"
    file.write_text("CONTENT")
    progress = Silent()
    again = make(Store(tmp_path, progress=progress))
    assert again.made_now
    assert file.read_text() == "content"
    assert progress.warnings == [
        f"Checkpoint {KEY[:12]} in the store is damaged (its digest differs): it is made again."
    ]


def test_a_failed_build_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def broken(folder):
        (folder / "half.txt").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make(store, broken)
    assert store.find(KEY) is None
    assert not list((tmp_path / "tmp").iterdir())


def test_a_full_disk_is_said_and_finished_work_is_kept(tmp_path):
    store = Store(tmp_path)
    make(store)

    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="no space left while Checkpoint was written"):
        make(store, full, key="b" * 64)
    assert store.find(KEY) is not None


def test_a_store_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "store")


def _make_slowly(root, started):
    def slow(folder):
        started.set()
        time.sleep(0.8)
        (folder / "file.txt").write_text(str(os.getpid()))

    make(Store(root), slow)


def test_a_second_run_waits_for_the_key_and_reuses_it(tmp_path):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    worker = context.Process(target=_make_slowly, args=(tmp_path, started))
    worker.start()
    started.wait(10)
    stored = make(Store(tmp_path), never)
    worker.join()
    assert (stored.path / "file.txt").read_text() == str(worker.pid)


def test_a_killed_run_loses_only_the_work_in_flight(tmp_path):
    make(Store(tmp_path), key="b" * 64)
    context = multiprocessing.get_context("fork")
    started = context.Event()
    worker = context.Process(target=_make_slowly, args=(tmp_path, started))
    worker.start()
    started.wait(10)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    store = Store(tmp_path)
    assert store.find("b" * 64) is not None
    assert store.find(KEY) is None
    assert make(store).made_now
    assert not list((tmp_path / "tmp").iterdir()), "left-overs of the killed process are cleared"


def test_made_again_when_told(tmp_path):
    store = Store(tmp_path)
    make(store)
    assert (make(store, write("new"), again=True).path / "file.txt").read_text() == "new"


def test_a_folder_is_found_by_the_digest_of_its_content(tmp_path):
    store = Store(tmp_path)
    stored = make(store)
    assert store.by_digest(stored.digest).key == KEY
    assert store.by_digest("0" * 64) is None


def test_a_process_that_does_not_lead_builds_along_and_goes_on_with_what_the_leader_recorded(tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")
    started, built = context.Event(), []
    leader = context.Process(target=_make_slowly, args=(tmp_path, started))
    leader.start()
    started.wait(10)
    monkeypatch.setenv("RANK", "1")
    stored = make(Store(tmp_path), built.append)
    leader.join()
    assert len(built) == 1
    assert not built[0].exists(), "what a follower writes is thrown away"
    assert (stored.path / "file.txt").read_text() == str(leader.pid)
    assert make(Store(tmp_path), never).key == KEY
