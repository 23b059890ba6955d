"""What `check` says of a `search` block; `search_messages.txt` is the snapshot (UPDATE_SNAPSHOTS=1 writes it anew)."""

from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.search_checks import limits_of, objective_names, search_problems
from compress.pipeline.yaml.file import read_pipeline
from tests.snapshots import same_as_kept

SNAPSHOT = Path(__file__).with_name("search_messages.txt")
FILE = """\
name: edge
measure: {latency: none}
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}
  - name: student
    step: distill
    teacher: teacher
    data: news
    student: {layers: 3}
    objectives: [{kind: logits, temperature: 2.0}]
  - {name: onnx, step: export_onnx, model: student}
  - {name: int8, step: quantize, model: onnx, scheme: {kind: dynamic_int8}}
search:
  fields:
    student.student.layers: {choices: [2, 3]}
    student.objectives.0.temperature: {low: 1.0, high: 4.0, step: 0.5}
    student.training.learning_rate: {low: 1e-5, high: 1e-3, log: true}
    int8.scheme: {choices: [{kind: dynamic_int8}, {kind: weight_only}]}
  objectives: [{maximize: accuracy}, {minimize: size_mb}]
  constraints: ["accuracy_drop <= 0.01", "int8.size_mb <= 8"]
"""
LAYERS = "student.student.layers: {choices: [2, 3]}"
TEMPERATURE = "{low: 1.0, high: 4.0, step: 0.5}"
OBJECTIVES = "[{maximize: accuracy}, {minimize: size_mb}]"
CONSTRAINTS = '["accuracy_drop <= 0.01", "int8.size_mb <= 8"]'
WRONG = {
    "a field that does not exist": ("student.student.layers", "student.student.layer"),
    "a stage that does not exist": ("student.student.layers", "studnet.student.layers"),
    "a field of the pipeline": (LAYERS, "measure.threads: {choices: [1, 2]}"),
    "a whole stage": (LAYERS, "student: {choices: [1, 2]}"),
    "a gate": (LAYERS, "student.gates.min.accuracy: {low: 0.1, high: 0.9}"),
    "an item of a list that is not there": ("objectives.0.temperature", "objectives.1.temperature"),
    "a bound out of bounds": (TEMPERATURE, "{low: 0.0, high: 4.0}"),
    "the other bound out of bounds": (TEMPERATURE, "{low: 1.0, high: 400.0}"),
    "a number between the bounds": (LAYERS, "student.student.layers: {low: 1.0, high: 4.0}"),
    "a bound that is no number": (TEMPERATURE, "{low: 1.0, high: .inf}"),
    "a choice of the wrong kind": ("choices: [2, 3]", "choices: [2, three]"),
    "a choice that is no scheme": ("{kind: weight_only}", "{kind: weights_only}"),
    "a choice that breaks another stage": (LAYERS, "onnx.model: {choices: [student, news]}"),
    "one choice": ("choices: [2, 3]", "choices: [2]"),
    "the same choice twice": ("choices: [2, 3]", "choices: [2, 2]"),
    "bounds the wrong way round": (TEMPERATURE, "{low: 4.0, high: 1.0}"),
    "steps that miss the upper bound": (TEMPERATURE, "{low: 1.0, high: 4.0, step: 0.7}"),
    "log from zero": ("low: 1e-5", "low: 0.0"),
    "log with steps": ("log: true", "log: true, step: 1e-5"),
    "a misspelt word of a field": ("high: 4.0, step", "hihg: 4.0, step"),
    "true for a number": ("low: 1.0", "low: true"),
    "a field that is a list": ("{choices: [2, 3]}", "[2, 3]"),
    "no objective": (OBJECTIVES, "[]"),
    "an objective that the task does not have": (OBJECTIVES, "[{maximize: pearson}]"),
    "a misspelt figure": (OBJECTIVES, "[{maximize: acuracy}]"),
    "both ways at once": (OBJECTIVES, "[{maximize: accuracy, minimize: size_mb}]"),
    "an objective of a stage that does not exist": (OBJECTIVES, "[{maximize: accuracy, stage: int4}]"),
    "an objective of a stage that makes no model": (OBJECTIVES, "[{maximize: accuracy, stage: news}]"),
    "the same objective twice": (OBJECTIVES, "[{maximize: accuracy}, {maximize: accuracy, stage: int8}]"),
    "latency that is not measured": (OBJECTIVES, "[{minimize: latency_ms}]"),
    "a drop of the reference itself": (CONSTRAINTS, '["teacher.accuracy_drop <= 0.01"]'),
    "a constraint that is none": (CONSTRAINTS, '["accuracy > 0.9"]'),
    "a constraint on no figure": (CONSTRAINTS, '["size <= 8"]'),
    "a constraint on a stage that does not exist": (CONSTRAINTS, '["int4.size_mb <= 8"]'),
    "no trials": ("constraints:", "trials: 0\n  constraints:"),
    "an unknown key": ("constraints:", "limits:"),
}


def messages(old: str, new: str) -> str:
    assert old in FILE, old
    file = Path("edge.yaml")
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as error:
        raise ConfigurationError(*search_problems(read_pipeline(file, environ={})))
    assert str(error.value), f"nothing was said of {new}"
    return str(error.value)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_search_without_mistakes_has_none() -> None:
    Path("edge.yaml").write_text(FILE)
    assert list(search_problems(read_pipeline(Path("edge.yaml"), environ={}))) == []


def test_a_value_that_fits_only_beside_another_one_is_no_mistake() -> None:
    text = FILE.replace("  objectives: [{max", "    int8.scheme.bits: {choices: [4, 8]}\n  objectives: [{max", 1)
    Path("edge.yaml").write_text(text)
    assert list(search_problems(read_pipeline(Path("edge.yaml"), environ={}))) == []


@pytest.mark.parametrize("base", ["nowhere/base", "package:numpy/nowhere"])
def test_a_choice_that_is_not_there_is_found_before_any_work(base: str) -> None:
    said = messages(LAYERS, f'teacher.base: {{choices: ["package:numpy/linalg", "{base}"]}}')
    assert "edge.yaml:16:" in said
    assert "search field 'teacher.base' with " in said
    assert "nowhere" in said.split(": ", 2)[2]


def test_mistakes_are_said_with_their_place() -> None:
    numbered = "\n".join(f"{number:3} {line}" for number, line in enumerate(FILE.splitlines(), start=1))
    blocks = [f"## {title}\n{messages(*change)}" for title, change in WRONG.items()]
    opening = f"What is said when the search of this file is changed so that it cannot be:\n\n{numbered}"
    assert same_as_kept(SNAPSHOT, "\n\n".join([opening, *blocks]) + "\n")


def test_a_figure_of_the_last_model_is_one_figure_however_it_is_called() -> None:
    Path("edge.yaml").write_text(FILE.replace(OBJECTIVES, "[{maximize: int8.accuracy}, {minimize: size_mb}]", 1))
    loaded = read_pipeline(Path("edge.yaml"), environ={})
    assert objective_names(loaded) == ["accuracy", "size_mb"]
    assert limits_of(loaded)["int8.size_mb <= 8"].figure == "size_mb"


def test_a_label_that_rules_cannot_say_is_refused() -> None:
    said = messages(OBJECTIVES, '[{maximize: "recall.bad, really"}]')
    assert "'recall.bad, really' has a comma or a sign in its name" in said


def test_a_step_next_to_nothing_is_said_and_no_traceback() -> None:
    assert "high must be low plus a multiple of step" in messages(TEMPERATURE, "{low: 0.0, high: 1.0, step: 5.0e-324}")
