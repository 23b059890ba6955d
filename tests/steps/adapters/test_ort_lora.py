"""The derived file of a version: made where the set has a graph for it, and never of another set."""

import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from compress.adapters.listing import listed
from compress.adapters.peft_folder import DELTA_FILES
from compress.adapters.set_folder import AdapterSetFolder
from compress.pipeline.published_set import MadeSet, publish_set
from compress.progress import Silent
from compress.steps.adapters.ort_lora import onnx_adapters_of
from tests.adapters.hand_made import tiny_delta, tiny_set

FILE = "adapter.onnx_adapter"


def with_graph(folder: Path, **changes: object) -> Path:
    """A set that says to have the graph, whatever is in it."""
    made = tiny_set(folder, **changes)
    (made / "base/model_ort_lora.onnx").write_text(str(changes))
    return made


def widths(file: Path) -> set[int]:
    """The ranks of the tables in an `.onnx_adapter`."""
    tables = onnxruntime.AdapterFormat.read_adapter(str(file)).get_parameters()
    return {tables["lora_b.0"].shape()[0]}


@pytest.fixture
def delta(tmp_path) -> Path:
    return tiny_delta(tmp_path / "delta", rank=1)


def test_a_set_without_the_graph_gets_no_such_file(tmp_path, delta):
    folder = AdapterSetFolder(tiny_set(tmp_path / "set"))
    folder.add("news", delta, derive=onnx_adapters_of(folder.path))
    assert {path.name for path in folder.folder("news", 1).iterdir()} == set(DELTA_FILES)


def test_it_is_made_for_the_set_that_is_there_when_it_is_written(tmp_path, delta):
    home = with_graph(tmp_path / "set", max_rank=4)
    folder, derive = AdapterSetFolder(home), onnx_adapters_of(home)
    shutil.rmtree(home)
    with_graph(home, max_rank=3)
    folder.add("news", delta, derive=derive)
    assert widths(home / "adapters/news/1" / FILE) == {6}


def test_it_is_there_when_the_version_is_and_counts_in_its_size(tmp_path, delta):
    folder = AdapterSetFolder(with_graph(tmp_path / "set"))
    folder.add("news", delta, derive=onnx_adapters_of(folder.path))
    version = folder.folder("news", 1)
    assert {path.name for path in version.iterdir()} == {*DELTA_FILES, FILE}
    size = sum(path.stat().st_size for path in version.iterdir())
    assert listed(folder)[0]["size_mb"] == pytest.approx(size / 1e6)


def test_a_version_whose_file_cannot_be_made_is_not_added(tmp_path, delta):
    folder = AdapterSetFolder(with_graph(tmp_path / "set"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="No space left on device"):
        folder.add("news", delta, derive=full)
    assert folder.names() == ()


def test_the_command_line_makes_it_without_onnx_or_torch(tmp_path, delta):
    folder = with_graph(tmp_path / "set")
    code = f"""
import sys
for name in ("torch", "transformers", "peft", "datasets", "onnx", "onnx_ir", "onnxscript"):
    sys.modules[name] = None
from compress.cli import main
sys.argv = ["compress", "adapters", "add", {str(folder)!r}, "news", {str(delta)!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "added news version 1\n"), done.stderr
    assert (folder / "adapters/news/1" / FILE).is_file()


def test_a_published_set_on_another_graph_has_it_made_anew_or_not_at_all(tmp_path, delta):
    def publish(made: Path) -> None:
        AdapterSetFolder(made).add("news", delta, derive=onnx_adapters_of(made))
        publish_set(MadeSet(made, "", "{}"), tmp_path / "runs", Silent())

    (tmp_path / "runs").mkdir()
    home = tmp_path / "runs/set"
    publish(with_graph(tmp_path / "first", max_rank=4))
    AdapterSetFolder(home).add("mine", delta, derive=onnx_adapters_of(home))
    assert widths(home / "adapters/mine/1" / FILE) == {8}, "two sites of one group"
    publish(with_graph(tmp_path / "second", max_rank=3))
    assert widths(home / "adapters/mine/1" / FILE) == {6}
    publish(tiny_set(tmp_path / "third", max_rank=2))
    assert {path.name for path in (home / "adapters/mine/1").iterdir()} == set(DELTA_FILES)
    publish(with_graph(tmp_path / "fourth", max_rank=1))
    assert [widths(home / "adapters" / name / "1" / FILE) for name in ("mine", "news")] == [{2}, {2}]


def test_the_next_version_that_a_run_adds_has_it_too(tmp_path, delta):
    (tmp_path / "runs").mkdir()
    for seed in (1, 2):
        made = with_graph(tmp_path / str(seed))
        AdapterSetFolder(made).add("news", tiny_delta(tmp_path / f"delta{seed}", seed=seed))
        publish_set(MadeSet(made, "", "{}"), tmp_path / "runs", Silent())
    assert widths(tmp_path / "runs/set/adapters/news/2" / FILE) == {8}
