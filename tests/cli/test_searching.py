"""`compress search` as it is typed: what is printed where, and the exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compress.cli import app
from compress.search.schema import SearchReport
from tests.search.small_search import SmallSearch


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> SmallSearch:
    search = SmallSearch(tmp_path_factory.mktemp("search") / "project")
    search.edit("trials: 3", "trials: 1")
    return search


def typed(search: SmallSearch, *arguments: str) -> Result:
    places = ["--store", str(search.folder / ".compress"), "--runs", str(search.folder / "runs")]
    return CliRunner().invoke(app, ["search", str(search.file), *places, *arguments])


def test_the_help_teaches_how_a_search_is_written():
    said = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "140", "TERM": "dumb"}).output
    assert "student.student.layers: {choices: [2, 3, 4]}" in said
    assert 'constraints: ["accuracy_drop <= 0.02"]' in said
    assert "--pick" in said


def test_of_several_objectives_people_are_told_how_to_choose(project):
    said = typed(project, "--study", "front")
    assert said.exit_code == 0, said.output
    output = said.stdout.replace("\n", "")
    assert f"report: {project.results_of('front') / 'report.html'}" in output
    places = f"--store {project.folder / '.compress'} --runs {project.folder / 'runs'}"
    assert f"choose one: compress search {project.file} --study front {places} --pick " in output
    assert not (project.results_of("front") / "best").exists()


def test_people_get_the_front_and_where_all_is(project):
    said = typed(project, "--write", str(project.folder / "best.yaml"))
    assert said.exit_code == 0, said.output
    output = said.stdout.replace("\n", "")
    assert f"report: {project.results / 'report.html'}" in output
    assert f"pipeline: {project.folder / 'best.yaml'}" in output
    assert f"trial 0 (max accuracy): {project.results / 'best'}" in output
    assert Path(project.results / "best" / "report.html").exists()


def test_machines_get_the_report(project):
    said = typed(project, "--json")
    assert said.exit_code == 0
    report = SearchReport.model_validate(json.loads(said.stdout))
    assert [trial.state for trial in report.trials] == ["complete"]


def test_no_trial_that_fits_ends_in_three_and_still_shows_what_there_is(project):
    said = typed(project, "--pick", "size_mb <= 0.00001", "--json")
    assert said.exit_code == 3
    assert "no trial keeps 'size_mb <= 1e-05'" in said.stderr
    assert SearchReport.model_validate(json.loads(said.stdout)).pick is not None, "the earlier choice stays"


def test_a_chosen_trial_that_fails_on_the_test_rows_ends_in_three(project):
    kept = SearchReport.model_validate_json((project.results / "search.json").read_text())
    validation, test = kept.trials[0].figures["accuracy"], kept.pick.figures["accuracy"]
    assert validation != test
    way = "min" if test < validation else "max"
    said = typed(
        project,
        "--set",
        f"student.gates={{{way}: {{accuracy: {(test + validation) / 2}}}}}",
        "--study",
        "gated",
        "--pick",
        "max accuracy",
    )
    assert said.exit_code == 3, said.output
    assert f"on the test rows: student: {way}.accuracy measured" in said.stdout.replace("\n", "")
