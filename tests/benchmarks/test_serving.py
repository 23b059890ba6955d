"""The whole script, on a tiny model: every part runs, and what does not depend on the machine is right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import tiny_base

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("serving"), tiny_base(tmp_path_factory.mktemp("base"))


def run(made, *words, threads=1):
    folder, model = made
    command = [
        sys.executable,
        "benchmarks/serving.py",
        *words,
        "--folder",
        folder,
        "--model",
        model,
        "--threads",
        threads,
    ]
    ran = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode in (0, 1, 2), ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr, ran.stderr[-2000:]
    return ran.stdout


def line_of(markdown, start):
    return next(line for line in markdown.splitlines() if line.startswith(f"| {start}"))


def test_help_says_what_each_part_does():
    said = run_help()
    for part in ("in-process", "throughput", "memory", "overhead", "load", "startup", "swap"):
        assert part in said


def run_help():
    command = [sys.executable, "benchmarks/serving.py", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pointer", "repository"])
def test_no_answer_is_wrong_while_versions_are_swapped(made, how):
    said = run(made, "swap", "--adapters", 2, "--requests", 100, "--rate", 50, "--how", how)
    assert line_of(said, "wrong or failed answers").endswith("| 0 of 100 | yes |")


@pytest.mark.slow
def test_every_answer_under_load_is_that_of_the_offline_model(made):
    said = run(made, "load", "--adapters", 3, "--minutes", 0.05, "--rate", 40)
    assert line_of(said, "wrong rows").endswith("| 0 | yes |")
    assert line_of(said, "largest difference") == "| largest difference of a probability | 0 |"


@pytest.mark.slow
def test_throughput_runs_both_servers(made):
    said = run(
        made, "throughput", "--adapters", 2, "--lengths", 48, "--popularity", "zipf", "--probe-seconds", 0.5,
        "--seconds", 1, "--rounds", 1,
    )  # fmt: skip
    assert line_of(said, "adapter set at capacity")
    assert line_of(said, "merged sessions at 80% of the baseline's")


@pytest.mark.slow
def test_memory_startup_and_overhead_run(made):
    assert "3 of 4 slots used" in run(made, "memory", "--adapters", 6, "--slots", 4)
    assert line_of(run(made, "startup", "--adapters", 2, "--rounds", 1), "start-up with 2 adapters")
    said = run(made, "overhead", "--schemes", "fp32", "--lengths", 8, "--rounds", 6, "--calls", 5)
    assert line_of(said, "fp32, 1 x 8")


@pytest.mark.slow
def test_in_process_compares_with_the_base(made):
    said = run(made, "in-process", "--schemes", "fp32", "int8", "--lengths", 8, "--rounds", 3)
    assert line_of(said, "int8, 8 x 8: 8 adapters against base alone")
