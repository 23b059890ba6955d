"""A published set is the user's own: what a run adds, keeps, and puts aside."""

import json
import shutil
from pathlib import Path

import pytest

from compress.adapters.set_folder import AdapterSetFolder
from compress.pipeline import published_set
from compress.pipeline.published_set import MadeSet, publish_set, recover
from compress.progress import Silent
from tests.adapters.hand_made import tiny_delta, tiny_set


class Told(Silent):
    """Keeps what was said too."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def runs(tmp_path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def store(tmp_path):
    """Makes the artifact of a run: a set with one adapter for each name, drawn from its seed."""
    made = []

    def make(*, graph: str = "graph", **adapters: int) -> MadeSet:
        folder = tmp_path / f"artifact-{len(made)}"
        made.append(folder)
        changes = {"max_rank": 1} if graph == "narrow" else {}
        tiny_set(folder, **changes)
        (folder / "base/model.onnx").write_text(graph)
        rank = 1 if graph == "narrow" else 2
        for name, seed in adapters.items():
            AdapterSetFolder(folder).add(name, tiny_delta(tmp_path / "delta", seed=seed, rank=rank))
        (folder / "record.json").write_text("{}")
        return MadeSet(folder, f"# card of {len(made)}\n", json.dumps({"run": len(made)}))

    return make


def opened(runs: Path) -> AdapterSetFolder:
    return AdapterSetFolder(runs / "set")


def test_a_first_set_is_the_artifact_with_card_and_figures(runs, store):
    made = store(news=1)
    assert publish_set(made, runs, Silent()) == runs / "set"
    assert {path.name for path in (runs / "set").iterdir()} == {
        "MODEL_CARD.md", "adapter_set.json", "adapters", "base", "manifest.json",
    }  # fmt: skip
    assert (runs / "set/MODEL_CARD.md").read_text() == "# card of 1\n"
    assert json.loads((runs / "set/manifest.json").read_text()) == {"run": 1}
    assert opened(runs).latest("news") == 1
    assert {path.name for path in runs.iterdir()} == {"set"}


def test_the_artifact_in_the_store_is_not_touched_by_what_the_user_does(runs, store, tmp_path):
    made = store(news=1)
    publish_set(made, runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=7))
    assert AdapterSetFolder(made.folder).names() == ("news",)


def test_the_same_delta_again_adds_nothing(runs, store):
    publish_set(store(news=1), runs, Silent())
    publish_set(store(news=1), runs, Silent())
    assert opened(runs).versions("news") == (1,)
    assert (runs / "set/MODEL_CARD.md").read_text() == "# card of 2\n"


def test_another_delta_becomes_the_next_version_and_what_the_user_added_stays(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=7))
    opened(runs).add("news", tiny_delta(tmp_path / "better", seed=8))
    told = Told()
    publish_set(store(news=2), runs, told)
    there = opened(runs)
    assert (there.names(), there.versions("news"), there.latest("news")) == (("mine", "news"), (1, 2, 3), 3)
    assert told.said == [
        "set: adapter 'news' got version 3, which is its latest now.", "set: mine of earlier stay as they are.",
    ]  # fmt: skip


def test_a_rolled_back_version_stays_the_latest_and_that_is_said(runs, store):
    publish_set(store(news=1), runs, Silent())
    publish_set(store(news=2), runs, Silent())
    opened(runs).promote("news", 1)
    progress = Silent()
    publish_set(store(news=2), runs, progress)
    assert (opened(runs).versions("news"), opened(runs).latest("news")) == ((1, 2), 1)
    (warning,) = progress.warnings
    assert warning.startswith("set: adapter 'news' of this run is version 2 there already, and version 1 stays the lat")


def test_the_same_weights_for_other_labels_are_another_version(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    made = store()
    relabelled = tiny_delta(tmp_path / "relabelled", seed=1, labels=("a", "b", "c"))
    AdapterSetFolder(made.folder).add("news", relabelled)
    publish_set(made, runs, Silent())
    assert opened(runs).versions("news") == (1, 2)


def test_another_graph_takes_every_version_and_pointer_along(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=7))
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=8))
    opened(runs).promote("mine", 1)
    progress = Silent()
    publish_set(store(graph="int8", news=1, sport=3), runs, progress)
    there = opened(runs)
    assert (runs / "set/base/model.onnx").read_text() == "int8"
    assert (there.names(), there.versions("mine"), there.latest("mine")) == (("mine", "news", "sport"), (1, 2), 1)
    assert there.versions("news") == (1,)
    assert not progress.warnings
    assert {path.name for path in runs.iterdir()} == {"set"}


def test_a_graph_that_some_do_not_fit_puts_the_old_set_aside_whole(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=7))
    progress = Silent()
    publish_set(store(graph="narrow", news=1), runs, progress)
    assert (opened(runs).names(), opened(runs).versions("news")) == (("news",), (2,))
    assert AdapterSetFolder(runs / "set-1").names() == ("mine", "news")
    assert any("version 1 of adapter 'mine' stays behind: " in warning for warning in progress.warnings)
    assert progress.warnings[-1].startswith(f"the set of an earlier run was kept in {runs / 'set-1'}")


def test_a_number_is_not_given_to_other_content(runs, store):
    publish_set(store(news=1), runs, Silent())
    publish_set(store(graph="narrow", news=2), runs, Silent())
    assert opened(runs).versions("news") == (2,), "1 was something else in the set that was put aside"


def test_the_number_of_an_adapter_that_was_removed_is_not_given_again(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "mine", seed=7))
    opened(runs).remove("mine")
    publish_set(store(graph="int8", news=1), runs, Silent())
    assert opened(runs).names() == ("news",)
    assert opened(runs).add("mine", tiny_delta(tmp_path / "other", seed=8)) == 2


def test_a_last_number_that_was_damaged_stops_no_run(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("news", tiny_delta(tmp_path / "better", seed=8))
    (runs / "set/adapters/news/.last").write_bytes(b"\xff")
    publish_set(store(graph="int8", news=2), runs, Silent())
    assert opened(runs).versions("news") == (1, 2, 3)


def test_of_an_adapter_that_fits_in_part_all_stays_behind_and_that_is_said(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    opened(runs).add("mine", tiny_delta(tmp_path / "wide", seed=7))
    opened(runs).add("mine", tiny_delta(tmp_path / "slim", seed=8, rank=1))
    progress = Silent()
    publish_set(store(graph="narrow", news=1), runs, progress)
    assert opened(runs).names() == ("news",)
    assert AdapterSetFolder(runs / "set-1").versions("mine") == (1, 2)
    assert "set: its other versions, 2, stay with it, though they fit: `compress adapters add` takes them over." in (
        progress.warnings
    )


def test_a_version_that_the_user_did_not_promote_stays_so(runs, store, tmp_path):
    publish_set(store(news=1), runs, Silent())
    delta = tiny_delta(tmp_path / "sport", seed=3)
    opened(runs).add("sport", delta, promote=False)
    progress = Silent()
    publish_set(store(news=1, sport=3), runs, progress)
    assert opened(runs).versions("sport") == (1,)
    (warning,) = progress.warnings
    assert warning == (
        "set: adapter 'sport' of this run is version 1 there already, and none is promoted: "
        "`compress adapters promote` changes that."
    )


def test_a_damaged_set_is_put_aside_and_not_deleted(runs, store):
    publish_set(store(news=1), runs, Silent())
    (runs / "set/adapter_set.json").write_text("{")
    progress = Silent()
    publish_set(store(news=1), runs, progress)
    assert (runs / "set-1/adapters/news/1/adapter_model.safetensors").is_file()
    assert opened(runs).names() == ("news",)
    assert any("is damaged" in warning for warning in progress.warnings)


def test_a_run_killed_between_the_renames_gives_the_set_back(runs, store, monkeypatch):
    publish_set(store(news=1), runs, Silent())
    rename = Path.rename

    def killed(self: Path, to: Path) -> Path:
        if self.name.startswith(".set-"):
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        publish_set(store(graph="int8", news=1), runs, Silent())
    monkeypatch.undo()
    assert not (runs / "set").exists()
    recover(runs)
    assert opened(runs).names() == ("news",)
    assert {path.name for path in runs.iterdir()} == {"set"}


def test_a_run_killed_while_it_puts_a_set_aside_loses_neither(runs, store, monkeypatch):
    publish_set(store(news=1), runs, Silent())
    rename = Path.rename

    def killed_at(prefix: str):
        def killed(self: Path, to: Path) -> Path:
            if self.name.startswith(prefix):
                raise KeyboardInterrupt
            return rename(self, to)

        return killed

    for prefix, left in ((".set-", "set"), (".kept-set", "set-1")):
        with monkeypatch.context() as broken:
            broken.setattr(Path, "rename", killed_at(prefix))
            with pytest.raises(KeyboardInterrupt):
                publish_set(store(graph="narrow", news=2), runs, Silent())
        recover(runs)
        assert AdapterSetFolder(runs / left).set_file.max_rank == 4, "the user's own"
    assert opened(runs).set_file.max_rank == 1
    assert {path.name for path in runs.iterdir()} == {"set", "set-1"}


def test_what_a_killed_run_left_is_removed(runs, store):
    publish_set(store(news=1), runs, Silent())
    shutil.copytree(runs / "set", runs / ".before-set")
    (runs / ".set-unfinished").mkdir()
    recover(runs)
    assert {path.name for path in runs.iterdir()} == {"set"}


def test_a_full_disk_leaves_the_set_as_it_was(runs, store, monkeypatch):
    publish_set(store(news=1), runs, Silent())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(published_set, "fsync_folder", full)
    with pytest.raises(Exception, match="No space left on device"):
        publish_set(store(graph="int8", news=2), runs, Silent())
    assert (runs / "set/base/model.onnx").read_text() == "graph"
    assert opened(runs).versions("news") == (1,)
