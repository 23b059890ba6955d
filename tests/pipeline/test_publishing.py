import json
import shutil

import pytest

from compress.chain.manifest import ModelManifest
from compress.errors import StoreError
from compress.pipeline import publishing
from compress.pipeline.publishing import publish
from compress.progress import Silent
from compress.reporting import model_card, page
from compress.reporting.schema import ArtifactEntry
from tests.reporting.sample import failed_report, full_report

MANIFEST = ModelManifest(
    kind="Bundle", task="text-classification", labels=("bad", "good"), max_length=32, dataset="d" * 64, base="base",
    base_digest="b" * 64, parameters=12345,
)  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def report(tmp_path):
    """A passed report whose bundle lies in a store."""
    artifact = tmp_path / "store" / "key"
    artifact.mkdir(parents=True)
    MANIFEST.write(artifact)
    (artifact / "model.onnx").write_text("graph")
    *others, edge = full_report().stages
    entry = ArtifactEntry(kind="Bundle", path=str(artifact), digest="d" * 64, size_mb=1.0)
    return full_report(stages=[*others, edge.model_copy(update={"artifact": entry})])


def state(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("module", "renderer"), [(page, "render"), (model_card, "model_card")])
def test_a_renderer_that_raises_leaves_what_was_published(report, runs, monkeypatch, module, renderer):
    publish(report, runs=runs, progress=Silent())
    before = state(runs)
    monkeypatch.setattr(module, renderer, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publish(report.model_copy(update={"seed": 18}), runs=runs, progress=Silent())
    assert state(runs) == before


def test_a_failed_run_that_cannot_be_rendered_leaves_the_bundle(report, runs, monkeypatch):
    publish(report, runs=runs, progress=Silent())
    before = state(runs)
    monkeypatch.setattr(page, "render", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publish(failed_report(), runs=runs, progress=Silent())
    assert state(runs) == before


def test_a_bundle_is_taken_away_as_a_whole(report, runs, monkeypatch):
    bundle = runs / report.pipeline / "bundle"
    publish(report, runs=runs, progress=Silent())
    deleted = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: deleted.append((path, bundle.exists())))
    publish(failed_report(), runs=runs, progress=Silent())
    ((path, there),) = deleted
    assert path.name.startswith(".old-")
    assert not there, "it is out of sight before its files go one by one"


@pytest.mark.parametrize("refusing", ["write_text", "fsync_folder"])
def test_what_the_system_refuses_is_a_message(report, runs, monkeypatch, refusing):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, refusing, full)
    with pytest.raises(StoreError, match=r"bert_edge cannot be written \(.*No space left on device\): free space, "):
        publish(report, runs=runs, progress=Silent())


def test_what_a_killed_run_left_is_removed(report, runs):
    for name in (".bundle-killed", ".old-killed"):
        (runs / report.pipeline / name / "inside").mkdir(parents=True)
    published = publish(report, runs=runs, progress=Silent())
    assert {path.name for path in (runs / report.pipeline).iterdir()} - {".lock"} == {
        "bundle", "report.json", "report.html",
    }  # fmt: skip
    assert json.loads((runs / report.pipeline / "report.json").read_text())["published"] == published.published
