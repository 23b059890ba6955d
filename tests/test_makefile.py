"""`make serve`, by what it would do."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE = "pipelines/adapters.yaml"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The Makefile, where everything is set up."""
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def would_do(checkout: Path, *arguments: str) -> list[str]:
    command = ["make", "--no-print-directory", "--dry-run", *arguments]
    said = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, timeout=60)
    return [line.rstrip() for line in said.stdout.splitlines()]


def test_a_missing_set_is_made_and_then_served(checkout):
    run, serve = would_do(checkout, "serve")
    assert run.endswith(f"compress run {MADE}")
    assert serve.endswith('compress serve "runs/adapters/set"')


def test_a_set_that_is_there_is_only_served(checkout):
    there = checkout / "runs/adapters/set"
    there.mkdir(parents=True)
    (there / "adapter_set.json").touch()
    (serve,) = would_do(checkout, "serve", "ARGS=--port 9000")
    assert serve.endswith('compress serve "runs/adapters/set" --port 9000')


def test_a_set_of_ones_own_is_never_made(checkout):
    (serve,) = would_do(checkout, "serve", "SET=elsewhere/set")
    assert serve.endswith('compress serve "elsewhere/set"')
