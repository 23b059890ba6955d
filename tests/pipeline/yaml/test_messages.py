"""What is said about every mistake: `messages.txt` is the snapshot (UPDATE_SNAPSHOTS=1 writes it anew)."""

from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import read_pipeline
from tests.pipeline.fake_steps import GOOD, FakeStep
from tests.pipeline.yaml.mistakes import WRONG, Wrong
from tests.snapshots import same_as_kept

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


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.title for wrong in WRONG])
def test_a_mistake_is_said_as_the_snapshot_says(wrong: Wrong) -> None:
    assert messages(wrong) == kept()[wrong.title]


def test_the_snapshot_is_whole() -> None:
    blocks = [f"## {wrong.title}\n{messages(wrong)}" for wrong in WRONG]
    numbered = "\n".join(f"{number:3} {line}" for number, line in enumerate(GOOD.splitlines(), start=1))
    opening = f"What is said about each mistake that mistakes.py makes in this file:\n\n{numbered}"
    assert same_as_kept(SNAPSHOT, "\n\n".join([opening, *blocks]) + "\n")
