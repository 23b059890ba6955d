"""A whole search on tiny models: what it makes, reuses, refuses, resumes and chooses."""

import json
import shutil
from pathlib import Path

import optuna
import pytest

from compress.chain.store import Store
from compress.errors import ConfigurationError, StepError
from compress.pipeline.run import run_file
from compress.progress import Silent
from compress.search.picking import NoTrialFitsError
from compress.search.plain import MARK
from compress.search.records import WORKER
from compress.search.schema import SearchReport
from compress.search.workers import give_up
from tests.search.small_search import SmallSearch


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, SearchReport]:
    search = SmallSearch(tmp_path_factory.mktemp("search") / "project")
    return search.folder, search.run(pick="max accuracy")


@pytest.fixture
def search(finished, tmp_path) -> SmallSearch:
    """A copy of the finished one, to change and go on with."""
    shutil.copytree(finished[0], tmp_path / "project")
    copy = SmallSearch.__new__(SmallSearch)
    copy.folder, copy.file, copy.progress = tmp_path / "project", tmp_path / "project" / "tiny.yaml", Silent()
    return copy


def study_of(search: SmallSearch, name: str = "tiny_search") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=search.database)


def splits_read(folder: Path) -> list[str]:
    """Of everything measured, in whose rows."""
    said = [stored.record["said"] for stored in Store(folder / ".compress")]
    return [one["split"] for one in said if "split" in one and "measure" in one]


def test_every_trial_is_measured_on_validation_and_only_the_pick_on_test(finished):
    folder, report = finished
    assert [trial.state for trial in report.trials] == ["complete"] * 3
    models = 2  # teacher and student of the one trial that was chosen
    assert splits_read(folder).count("test") == models
    published = json.loads((report_folder(folder) / "best" / "report.json").read_text())
    assert published["stages"][-1]["measures"]["metrics"]["accuracy"]["value"] == report.pick.figures["accuracy"]


def report_folder(folder: Path) -> Path:
    return folder / "runs" / "tiny_search" / "search"


def test_the_first_trial_is_the_file_as_it_was_written(finished):
    first = finished[1].trials[0]
    assert first.as_written
    assert first.fields == {"student.student.layers": 1, "student.objectives.0.temperature": 2.0}


def test_stages_that_trials_share_are_made_once(finished):
    trials = finished[1].trials
    assert trials[0].made == ["texts", "teacher", "student"]
    assert all(trial.reused == ["texts", "teacher"] and trial.made == ["student"] for trial in trials[1:])


def test_the_kept_file_is_the_report(finished):
    folder, report = finished
    kept = SearchReport.model_validate_json((report_folder(folder) / "search.json").read_text())
    assert kept.to_json() == report.to_json()
    assert (report_folder(folder) / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_of_several_objectives_nothing_is_chosen_and_no_test_row_read_until_somebody_says_how(search):
    before = splits_read(search.folder).count("test")
    report = search.run(study="front", trials=4)
    assert report.pick is None
    assert report.front
    assert splits_read(search.folder).count("test") == before
    assert not (search.results_of("front") / "best").exists()


def test_the_same_command_again_runs_nothing(search, finished):
    again = search.run()
    assert again.trials == finished[1].trials


def test_more_trials_go_on_where_the_study_stopped(search, finished):
    more = search.run(trials=5)
    assert more.trials[:3] == finished[1].trials
    at_once = search.run(trials=5, study="at-once")
    assert [trial.fields for trial in at_once.trials] == [trial.fields for trial in more.trials]


def test_values_that_were_tried_are_not_run_again(search):
    study = study_of(search)
    study.enqueue_trial(study.trials[1].params)
    report = search.run(trials=4)
    copy = report.trials[3]
    assert (copy.copied_from, copy.state, copy.figures) == (1, "complete", report.trials[1].figures)
    assert copy.made == []
    assert report.trials[4].copied_from is None, "a copy is none of the trials that were asked for"


def test_a_search_ends_when_every_set_of_values_was_tried(search):
    search.edit("    student.objectives.0.temperature: {low: 1.0, high: 4.0, step: 1.0}\n", "")
    report = search.run(study="both", trials=10)
    assert sorted(trial.fields["student.student.layers"] for trial in report.trials if trial.copied_from is None) == [
        1,
        2,
    ]


def test_the_pick_is_written_as_a_plain_pipeline_that_finds_everything_in_the_store(search):
    target = search.folder / "best.yaml"
    report = search.run(pick="accuracy_drop <= 1, min size_mb", write=target)
    smallest = min(report.trials, key=lambda trial: (trial.figures["size_mb"], -trial.figures["accuracy"]))
    assert report.pick.trial == smallest.number
    text = target.read_text()
    assert f"# Trial {smallest.number} of the study 'tiny_search' over tiny.yaml" in text
    assert "# What a person wrote." in text
    assert "# of two" in text
    assert "search:" not in text
    assert "What varies" not in text
    again = run_file(target, store=search.folder / ".compress", runs=search.folder / "runs")
    assert {stage.status for stage in again.stages} == {"reused"}
    assert again.stages[-1].measures.metrics["accuracy"].value == report.pick.figures["accuracy"]


def test_a_file_that_a_search_wrote_is_replaced(search):
    target = search.folder / "best.yaml"
    target.write_text(f"{MARK}.\nname: earlier\n")
    search.run(write=target)
    assert "name: tiny_search" in target.read_text()


def test_a_second_choice_warns_that_the_test_rows_were_read_before(search, finished):
    first = finished[1].pick.trial
    sizes = {trial.number: trial.figures["size_mb"] for trial in finished[1].trials}
    goal = "max size_mb" if sizes[first] == min(sizes.values()) else "min size_mb"
    report = search.run(pick=goal)
    assert report.pick.trial != first
    assert any(f"the test rows were read for trial {first} (max accuracy)" in warning for warning in report.warnings)


def test_no_trial_that_fits_says_what_comes_nearest_and_reads_no_test_rows(search):
    before = splits_read(search.folder).count("test")
    with pytest.raises(NoTrialFitsError, match=r"no trial keeps 'size_mb <= 0.001': trial \d comes nearest") as error:
        search.run("student.training.steps=2", study="other", trials=1, pick="size_mb <= 0.001")
    assert error.value.report.trials[0].made == ["student"]
    assert splits_read(search.folder).count("test") == before


def test_a_failed_gate_stops_a_trial_and_is_its_reason(search):
    with pytest.raises(NoTrialFitsError, match="none keeps the constraints"):
        search.run("teacher.gates={min: {accuracy: 1.01}}", study="gated", trials=1)
    report = json.loads((search.results_of("gated") / "search.json").read_text())
    (trial,) = report["trials"]
    assert trial["state"] == "pruned"
    assert trial["failed_gate"].startswith("teacher: min.accuracy measured")
    assert trial["made"] == []
    assert not any("fails its gate" in warning for warning in report["warnings"]), "it is said with its trial"


def test_what_is_warned_of_in_a_stage_that_all_trials_share_is_said_of_the_search(tmp_path):
    search = SmallSearch(tmp_path)
    texts = tmp_path / "texts.csv"
    first = texts.read_text().splitlines()[1]
    other = "class_1" if first.endswith("class_2") else "class_2"
    with texts.open("a") as file:
        file.write(f"{first.rpartition(',')[0]},{other}\n")
    report = search.run(trials=1)
    (warning,) = report.trials[0].warnings["texts"]
    assert "more than one label" in warning
    assert report.warnings.count(warning) == 1


def test_a_broken_constraint_on_an_early_stage_stops_the_trial_there(search):
    search.edit("  trials: 3", '  constraints: ["teacher.size_mb <= 0.000001"]\n  trials: 1')
    with pytest.raises(NoTrialFitsError):
        search.run(study="limited")
    (trial,) = json.loads((search.results_of("limited") / "search.json").read_text())["trials"]
    assert trial["state"] == "pruned"
    assert trial["reason"] == "after 'teacher': 'teacher.size_mb <= 0.000001' does not hold"
    assert "accuracy" not in trial["figures"], "the student was not made"


def test_a_constraint_that_is_broken_at_the_end_makes_a_trial_unfit_but_complete(search):
    search.edit("  trials: 3", '  constraints: ["size_mb <= 0.000001"]\n  trials: 1')
    with pytest.raises(NoTrialFitsError):
        search.run(study="limited")
    (trial,) = json.loads((search.results_of("limited") / "search.json").read_text())["trials"]
    assert (trial["state"], trial["feasible"], trial["broken"]) == ("complete", False, ["size_mb <= 0.000001"])


def test_a_study_with_another_space_is_refused_with_what_differs(search):
    search.edit("choices: [1, 2]", "choices: [2, 1]")
    with pytest.raises(ConfigurationError, match=r"for another search: search\.fields\.student\.student\.layers"):
        search.run()


def test_a_study_of_another_pipeline_is_refused_with_what_differs(search):
    search.edit("steps: 4", "steps: 5")
    with pytest.raises(
        ConfigurationError, match=r"for another pipeline: stages\.student\.training\.steps was 4 and is 5"
    ):
        search.run()


def test_what_varies_may_be_written_otherwise(search, finished):
    search.edit("student: {layers: 1}", "student: {layers: 2}")
    assert len(search.run().trials) == len(finished[1].trials)


FEWER_STEPS = "student.training.steps=3"
"""So that students are made, and the teacher is not."""


class Ending(Silent):
    """The second student is never finished: Ctrl-C, or whatever ends a process without a word."""

    def __init__(self, end: type[BaseException]) -> None:
        super().__init__()
        self._end, self._left = end, 2

    def say(self, message: str) -> None:
        if message.startswith("student: distill"):
            self._left -= 1
            if self._left == 0:
                raise self._end


class Killed(BaseException):
    """Nothing is written any more, as after `kill -9`."""


@pytest.mark.parametrize(
    ("end", "why"), [(KeyboardInterrupt, "interrupted"), (Killed, "its worker ended before it did")]
)
def test_a_search_that_was_ended_goes_on_with_the_same_values(search, finished, end, why):
    with pytest.raises(end):
        search.run(FEWER_STEPS, progress=Ending(end), study="other")
    report = search.run(FEWER_STEPS, study="other")
    assert [trial.state for trial in report.trials] == ["complete", "failed", "complete", "complete"]
    assert report.trials[1].reason == why
    own = [trial.fields for trial in report.trials if trial.counted]
    assert own == [trial.fields for trial in finished[1].trials], "as if nothing had happened: none lost, none twice"


class Overtaken(Silent):
    """Another worker takes this one for gone while it makes its second student."""

    def __init__(self, search: SmallSearch) -> None:
        super().__init__()
        self._search, self._left = search, 2

    def say(self, message: str) -> None:
        if message.startswith("student: distill"):
            self._left -= 1
            if self._left == 0:
                study = study_of(self._search, "other")
                give_up(study, study.trials[-1], "its worker ended before it did", tried=1)


def test_a_worker_that_was_taken_for_gone_says_so_and_goes_on(search, finished):
    report = search.run(FEWER_STEPS, progress=Overtaken(search), study="other")
    assert [trial.state for trial in report.trials] == ["complete", "failed", "complete", "complete"]
    assert any("another worker took a trial of this one for gone" in warning for warning in report.warnings)
    assert report.trials[2].reused == ["texts", "teacher", "student"], "what it made is in the store"


def test_values_that_another_worker_tries_at_the_moment_are_not_run_twice(search, monkeypatch):
    monkeypatch.setattr("compress.search.loop.POLL_SECONDS", 0.0)
    study = study_of(search)
    tried = [trial.params["student.objectives.0.temperature"] for trial in study.trials]
    new = next(value for value in (1.0, 2.0, 3.0, 4.0) if value not in tried)
    for _ in range(2):
        study.enqueue_trial({"student.student.layers": "2", "student.objectives.0.temperature": new})
    study.ask().set_user_attr(WORKER, {"name": "anna", "host": "elsewhere", "pid": 1})
    report = search.run(trials=5, worker="bert")
    same = report.trials[3]
    assert (same.state, same.copied_from, same.made) == ("failed", 3, [])
    assert same.reason == "trial 3 has the same values and is still open"
    own = [trial.fields for trial in report.trials if trial.counted]
    assert len(own) == 4, "the fifth is the one of the other worker"
    assert same.fields not in own


def test_a_constraint_that_is_never_measured_is_no_constraint_that_holds(search):
    search.edit("  trials: 3", '  constraints: ["recall.nobody >= 0.1"]')
    with pytest.raises(StepError, match=r"3 trials in a row failed .*recall\.nobody: not measured"):
        search.run(study="limited")


class Failing(Silent):
    """A stage that cannot be made."""

    def say(self, message: str) -> None:
        if message.startswith("student: distill"):
            raise StepError("the disk is on fire.")


def test_trials_that_fail_for_one_reason_end_the_search_and_do_not_count(search):
    with pytest.raises(StepError, match=r"(?s)3 trials in a row failed for the same reason.*the disk is on fire"):
        search.run(FEWER_STEPS, study="other", progress=Failing(), trials=10)
    report = search.run(FEWER_STEPS, study="other", trials=1)
    assert [trial.state for trial in report.trials].count("complete") == 1


def test_the_watch_hears_of_every_trial(search):
    class Watch:
        def __init__(self) -> None:
            self.heard: list[object] = []

        def trial_started(self, number, fields) -> None:
            self.heard.append(number)

        def trial_done(self, report) -> None:
            self.heard.append([trial.state for trial in report.trials])

    watch = Watch()
    search.run(study="watched", trials=2, watch=watch)
    assert watch.heard == [[], 0, ["complete"], 1, ["complete", "complete"]]


def test_one_objective_is_enough(search):
    search.edit("[{maximize: accuracy}, {minimize: size_mb}]", "[{minimize: size_mb}]")
    report = search.run(study="smallest")
    assert len(report.trials) == 3
    assert report.pick.rule == "min size_mb", "with one objective the best is chosen"
    assert all(trial.values == [trial.figures["size_mb"]] for trial in report.trials)
