"""What a running stage may touch is what this run made."""

from pathlib import Path

import pytest

from compress.chain.artifacts import Dataset
from compress.chain.step import Input
from compress.chain.store import Store
from compress.errors import StoreError
from compress.pipeline.bases import Bases
from compress.pipeline.workspace import StageWorkspace
from compress.progress import Silent

NEWS = Input[Dataset]("news", Dataset)


def made(store: Store, text: str) -> Dataset:
    """The data set of one key, made again."""

    def build(folder: Path) -> None:
        (folder / "rows").write_text(text)

    stored = store.make("key", kind="Dataset", said={}, build=build, again=True)
    return Dataset(stored.path, stored.digest)


def workspace(store: Store, news: Dataset) -> StageWorkspace:
    return StageWorkspace(
        store.root / "out", key="key", seed=1, progress=Silent(), store=store, made={"news": news}, bases=Bases()
    )


def test_an_artifact_is_loaded_as_it_was_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    news = made(store, "rows")
    store.touch(store.find("key"))
    assert workspace(store, news).load(NEWS) is news


def test_an_artifact_that_another_run_replaced_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    news = made(store, "rows")
    made(Store(tmp_path), "other")
    with pytest.raises(StoreError, match=r"Dataset of stage 'news' .* was made again by another run .*: run again"):
        workspace(store, news).load(NEWS)


def test_an_artifact_that_is_gone_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    news = made(store, "rows")
    Store(tmp_path).remove("key")
    with pytest.raises(StoreError, match="run again"):
        workspace(store, news).load(NEWS)
