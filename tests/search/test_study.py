"""How a study is asked: seeds, ends, and stopping early."""

import optuna
import pytest
from optuna.trial import TrialState

from compress.pipeline.search_space import Search
from compress.pipeline.yaml.file import read_pipeline
from compress.search.records import OUTCOME
from compress.search.study import enough, halting, next_trial, queue_written

FIELDS = {"a.b": {"low": 0, "high": 3}}
ONE = Search.model_validate({"fields": FIELDS, "objectives": [{"maximize": "accuracy"}]})
FILE = """\
name: edge
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}
  - {name: onnx, step: export_onnx, model: teacher, opset: 20}
search:
  fields: {onnx.opset: {low: 18, high: 22}}
  objectives: [{maximize: accuracy}]
"""


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=2))


def ask(study: optuna.Study) -> optuna.Trial:
    return next_trial(study, ONE, seed=1, worker=None, wanted=9)


def finish(study: optuna.Study, accuracy: float) -> None:
    trial = ask(study)
    halting(trial, "accuracy", bare="accuracy", several=False)({"student.accuracy": accuracy}, 3)
    trial.set_user_attr(OUTCOME, {"state": "complete"})
    study.tell(trial.number, accuracy)


def test_a_poor_start_is_halted_with_one_objective(study):
    for accuracy in (0.8, 0.9, 0.95):
        finish(study, accuracy)
    trial = ask(study)
    assert (
        halting(trial, "accuracy", bare="accuracy", several=False)({"teacher.x": 1.0, "student.accuracy": 0.93}, 3)
        is None
    )
    trial = ask(study)
    said = halting(trial, "accuracy", bare="accuracy", several=False)({"student.accuracy": 0.5}, 3)
    assert said == "accuracy is 0.5, poorer than half of the trials had there"


def test_until_its_stage_is_reached_another_stands_for_the_objective(study):
    for accuracy in (0.8, 0.9, 0.95):
        trial = ask(study)
        halting(trial, "student.recall.sport", bare="recall.sport", several=False)(
            {"student.recall.sport": accuracy}, 3
        )
        study.tell(trial.number, accuracy)
    halt = halting(ask(study), "student.recall.sport", bare="recall.sport", several=False)
    assert halt({"teacher.recall.sport": 0.99, "student.precision.sport": 0.1}, 2) is None
    figures = {"student.recall.sport": 0.97, "int8.recall.sport": 0.1}
    assert halt(figures, 3) is None, "the objective itself is known: what follows it says nothing"


def test_nothing_is_halted_where_optuna_takes_no_reports(study):
    several = optuna.create_study(directions=["maximize", "minimize"])
    assert halting(several.ask(), "accuracy", bare="accuracy", several=True)({"accuracy": 0.0}, 3) is None


def test_a_figure_that_is_not_measured_yet_halts_nothing(study):
    finish(study, 0.9)
    assert halting(ask(study), "latency_ms", bare="latency_ms", several=False)({"student.accuracy": 0.0}, 3) is None


def test_a_study_has_enough_when_all_values_were_tried(study):
    for count in range(40):
        if enough(study, ONE, wanted=30):
            break
        finish(study, 0.5 + count / 100)
    different = {trial.params["a.b"] for trial in study.trials}
    assert different == {0, 1, 2, 3}
    assert enough(study, ONE, wanted=30)


def test_a_failed_first_trial_is_queued_again_and_no_other(tmp_path):
    (tmp_path / "edge.yaml").write_text(FILE)
    loaded = read_pipeline(tmp_path / "edge.yaml", environ={})
    study = optuna.create_study(direction="maximize")
    for state in (TrialState.FAIL, TrialState.PRUNED):
        for _ in range(2):
            queue_written(study, loaded, loaded.spec.search)
        (waiting,) = study.get_trials(states=(TrialState.WAITING,))
        assert waiting.system_attrs["fixed_params"] == {"onnx.opset": 20}
        study.tell(next_trial(study, loaded.spec.search, seed=1, worker=None, wanted=9).number, state=state)
    queue_written(study, loaded, loaded.spec.search)
    assert study.get_trials(states=(TrialState.WAITING,)) == []


def test_workers_draw_other_values():
    drawn = []
    for worker in ("a", "b", "c"):
        study = optuna.create_study()
        free = Search.model_validate(
            {"fields": {"a.b": {"low": 0.0, "high": 1.0}}, "objectives": [{"maximize": "accuracy"}]}
        )
        drawn.append(next_trial(study, free, seed=1, worker=worker, wanted=9).params["a.b"])
    assert len(set(drawn)) == 3
