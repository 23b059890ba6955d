"""A project folder that moved goes on as before: a delta's base is found by its content."""

import shutil
from pathlib import Path

import pytest

from compress.reporting.schema import Report
from tests.pipeline.small_run import Project, write_project
from tests.tiny import tiny_base

STAGES = """\
name: small
seed: 17
measure: {split: test, latency: none}
stages:
  - {name: texts, step: load_data, source: {kind: csv, train: texts.csv, text: text, label: label}}
  - {name: delta, step: finetune_lora, data: texts, base: base, max_length: 32, training: {steps: 2}}
  - {name: teacher, step: merge_lora, delta: delta}
"""


@pytest.fixture(scope="module")
def run_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Report]:
    """Where a small project ran, where it lies now, and the report of that run."""
    old = tmp_path_factory.mktemp("moved") / "old"
    write_project(old).write_text(STAGES)
    report = Project(old).run()
    return old, old.rename(old.with_name("new")), report


def statuses(report: Report) -> list[str]:
    return [stage.status for stage in report.stages]


def sizes(report: Report) -> list[float]:
    return [stage.measures.size_mb for stage in report.stages[1:] if stage.measures]


def test_a_project_that_moved_finds_everything_again(run_elsewhere, tmp_path: Path) -> None:
    _, new, before = run_elsewhere
    assert before.passed
    after = Project.copy_of(new, tmp_path / "project").run()
    assert after.passed, [stage.error for stage in after.stages]
    assert statuses(after) == ["reused"] * 3
    assert sizes(after) == sizes(before)


def test_another_base_at_the_old_place_is_not_measured(run_elsewhere, tmp_path: Path) -> None:
    old, new, before = run_elsewhere
    tiny_base(old / "base", "roberta")
    after = Project.copy_of(new, tmp_path / "project").run()
    shutil.rmtree(old)
    assert after.passed, [stage.error for stage in after.stages]
    assert sizes(after) == sizes(before)


def test_a_delta_is_merged_with_the_base_that_moved(run_elsewhere, tmp_path: Path) -> None:
    _, new, before = run_elsewhere
    after = Project.copy_of(new, tmp_path / "project").run(again_from="teacher")
    assert after.passed, [stage.error for stage in after.stages]
    assert statuses(after) == ["reused", "reused", "ran"]
    assert sizes(after) == sizes(before)
