"""Two processes on one study in PostgreSQL, as two machines would be, and one that measures for the others."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.search.run import search_folder
from compress.search.schema import SearchReport
from tests.search.postgres import PASSWORD, server
from tests.search.small_search import SmallSearch

MOST_SECONDS = 400
CODE = "from compress.cli import main; main()"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with server() as url:
        yield url


def start(search: SmallSearch, *arguments: str, place: Path) -> subprocess.Popen[str]:
    """`compress search` with a store and runs of its own."""
    command = [
        sys.executable, "-c", CODE, "search", str(search.file), "--store", str(place / "store"),
        "--runs", str(place / "runs"), *arguments,
    ]  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each of them said; all of them are read at once, so that none waits for a reader."""
    said = [""] * len(processes)

    def read(index: int) -> None:
        try:
            said[index] = processes[index].communicate(timeout=MOST_SECONDS)[0]
        except subprocess.TimeoutExpired:
            processes[index].kill()
            said[index] = processes[index].communicate()[0]

    readers = [threading.Thread(target=read, args=(index,)) for index in range(len(processes))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def report_in(place: Path, study: str = "tiny_search") -> SearchReport:
    folder = search_folder(place / "runs", "tiny_search", study)
    return SearchReport.model_validate_json((folder / "search.json").read_text())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_share_a_study(database, tmp_path):
    search = SmallSearch(tmp_path / "project")
    shared = ("--storage", database, "--trials", "6")
    said = ended([
        start(search, *shared, "--worker", name, place=tmp_path / name) for name in ("anna", "bert")
    ])  # fmt: skip
    said += ended([start(search, *shared, "--worker", "anna", "--pick", "min size_mb", place=tmp_path / "anna")])
    report = report_in(tmp_path / "anna")
    own = [trial for trial in report.trials if trial.copied_from is None]
    assert 6 <= len(own) <= 7, "the two may both begin the last one"
    assert {trial.worker for trial in own} == {"anna", "bert"}
    assert all(trial.state == "complete" for trial in own)
    assert report.pick is not None
    assert PASSWORD not in "".join(said)
    assert PASSWORD not in (tmp_path / "anna/runs/tiny_search/search/search.json").read_text()
    assert "me:***@127.0.0.1" in report.storage


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_worker_measures_the_latencies_of_all(database, tmp_path):
    search = SmallSearch(tmp_path / "project")
    search.edit("{minimize: size_mb}", "{minimize: latency_ms}")
    search.edit("latency: none", "latency: gated")
    shared = ("--storage", database, "--study", "timed", "--trials", "2", "--latency-worker", "clock")
    ended([start(search, *shared, "--worker", "anna", place=tmp_path / "shared")])
    waiting = report_in(tmp_path / "shared", "timed")
    assert [trial.state for trial in waiting.trials] == ["waiting"] * 2
    assert all("latency_ms" not in trial.figures for trial in waiting.trials)
    assert waiting.pick is None
    choosing = ("--worker", "clock", "--pick", "max accuracy")
    ended([start(search, *shared, *choosing, place=tmp_path / "shared")])
    report = report_in(tmp_path / "shared", "timed")
    assert [trial.state for trial in report.trials] == ["complete"] * 2
    assert all(trial.figures["latency_ms"] > 0 and trial.made == [] for trial in report.trials)
    assert report.pick is not None
