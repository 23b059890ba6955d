"""What is said about every mistake: `messages.txt` is the snapshot (UPDATE_SNAPSHOTS=1 writes it anew)."""

import os
from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml_file import read_pipeline
from tests.pipeline.fake_steps import GOOD, FakeStep
from tests.pipeline.yaml_mistakes import WRONG, Wrong

SNAPSHOT = Path(__file__).with_name("messages.txt")
FILE = Path("edge.yaml")


def messages(wrong: Wrong) -> str:
    FILE.write_bytes(wrong.content if isinstance(wrong.content, bytes) else wrong.content.encode())
    with pytest.raises(ConfigurationError) as error:
        read_pipeline(FILE, overrides=wrong.overrides, environ=wrong.environ, steps=FakeStep)
    return str(error.value)


def kept() -> dict[str, str]:
    blocks = SNAPSHOT.read_text(encoding="utf-8").split("\n\n## ")[1:]
    return {title: text.strip("\n") for title, _, text in (block.partition("\n") for block in blocks)}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif("UPDATE_SNAPSHOTS" not in os.environ, reason="UPDATE_SNAPSHOTS=1 writes messages.txt anew")
def test_write_the_snapshot() -> None:
    blocks = [f"## {wrong.title}\n{messages(wrong)}" for wrong in WRONG]
    numbered = "\n".join(f"{number:3} {line}" for number, line in enumerate(GOOD.splitlines(), start=1))
    opening = f"What is said about each mistake that yaml_mistakes.py makes in this file:\n\n{numbered}"
    SNAPSHOT.write_text("\n\n".join([opening, *blocks]) + "\n", encoding="utf-8")


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.title for wrong in WRONG])
def test_a_mistake_is_said_as_the_snapshot_says(wrong: Wrong) -> None:
    assert messages(wrong) == kept()[wrong.title]


def test_the_snapshot_holds_no_other_mistakes() -> None:
    assert set(kept()) == {wrong.title for wrong in WRONG}
