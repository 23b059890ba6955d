"""What is said about mistakes in the words of `distill`, with their places in the file."""

from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import read_pipeline

HEAD = """\
name: x
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: a, step: finetune, data: news, base: "package:numpy/linalg", strategy: {kind: full}}
  - {name: b, step: finetune, data: news, base: "package:numpy/linalg", strategy: {kind: full}}
  - name: small
    step: distill
    data: news
    student: {layers: 2}
"""
TEACHER, BOTH = "teacher: a", "teachers: [{stage: a}, {stage: b}]"
LOGITS = "objectives: [{kind: logits, temperature: %s}]"
FEATURES, ANSWERS = "[{kind: hidden_states}]", "[{kind: logits}]"


def problems(*lines: str) -> list[str]:
    Path("e.yaml").write_text(HEAD + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_pipeline(Path("e.yaml"), environ={})
    return list(error.value.problems)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("temperature", "place", "message"),
    [
        ("{strat: 4, end: 1}", "11:47", "unknown key 'strat' in objectives.0.temperature; did you mean 'start'?"),
        ("{start: 4, end: 0}", "11:57", "objectives.0.temperature.end must be greater than 0, found 0"),
        ("{start: -1, end: 1}", "11:47", "objectives.0.temperature.start must be greater than 0, found -1"),
        ("{start: 4}", "11:33", "objectives.0.temperature needs 'end'"),
        ("{start: true, end: 1}", "11:47", "objectives.0.temperature.start must be a number, found true"),
        ("{start: 4, end: 1, over: 2}", "11:65", "objectives.0.temperature.over must be at most 1, found 2"),
        ("warm", "11:33", "objectives.0.temperature must be a number, found 'warm'"),
        ("0", "11:33", "objectives.0.temperature must be greater than 0, found 0"),
    ],
)
def test_a_wrong_schedule_is_one_mistake_at_its_place(temperature, place, message):
    (found,) = problems(TEACHER, LOGITS % temperature)
    assert found == f"e.yaml:{place}: stage 'small': {message}"


ZERO = "{start: 0, end: 1}"
OF_A, OF_B = (f"{{objectives: [{{kind: similarity, teacher: {stage}}}]}}" for stage in "ab")


@pytest.mark.parametrize(
    "lines",
    [
        ["teachers: [{stage: a, weight: 2}, {stage: b}]", "objectives: [{kind: logits}]"],
        [BOTH, f"phases: [{OF_A}, {OF_B}]"],
        [BOTH, f"phases: [{OF_B}]"],  # the student is made of the first one's layers
        [TEACHER, "training: {early_stopping: 3}", f"phases: [{{objectives: {FEATURES}}}, {{objectives: {ANSWERS}}}]"],
        [TEACHER, f"phases: [{{objectives: {ANSWERS}, keep: last, training: {{early_stopping: 0}}}}]"],
    ],
)
def test_what_has_an_effect_is_accepted(lines):
    Path("e.yaml").write_text(HEAD + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    read_pipeline(Path("e.yaml"), environ={})


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (
            "{layers: {keep: 2, by: spread, rows: 50}}",
            "student.layers: `rows` has no effect with `by: spread`, which reads none: leave it out",
        ),
        (
            "{layers: 2, heads: 12}",
            "student: `heads` has no effect without `hidden`: a student as wide as its teacher has as many heads",
        ),
    ],
)
def test_words_of_the_student_without_effect_are_refused(student, message):
    text = (HEAD + f"    {TEACHER}\n").replace("{layers: 2}", student)
    Path("e.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_pipeline(Path("e.yaml"), environ={})
    (found,) = error.value.problems
    assert f"stage 'small': {message}" in found


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([TEACHER, "objectives: [{kind: logits, weight: {start: 0, end: 0}}]"], "this objective never counts"),
        (
            [TEACHER, "objectives: [{kind: logits, weight: {start: 0, end: 1, shape: exponential}}]"],
            "needs both ends above 0 with `shape: exponential`",
        ),
        (
            [TEACHER, f"objectives: [{{kind: logits, weight: {ZERO}}}, {{kind: hard_labels, weight: {ZERO}}}]"],
            "all weights of the objectives are 0 at the first training step: nothing would be learned then",
        ),
        (
            [TEACHER, "phases: [{objectives: [{kind: logits, weight: {start: 1, end: 0}}]}]"],
            "phases.0: all weights of the objectives are 0 at the last training step",
        ),
        ([TEACHER, "phases: []"], "phases must have at least 1 item, found 0"),
        ([TEACHER, "phases: [{objective: [{kind: logits}]}]"], "unknown key 'objective' in phases.0; did you mean"),
        (
            [TEACHER, "phases: [{objectives: [{kind: logits}]}]", "objectives: [{kind: logits}]"],
            "needs either `objectives` or `phases`, found both: put the objectives into the phases",
        ),
        (
            [TEACHER, "phases: [{objectives: [{kind: logits}], training: {epochs: 1}}]", "training: {epochs: 2}"],
            "`training` has no effect: every one of `phases` has its own; leave it out",
        ),
        (
            [TEACHER, "phases: [{objectives: [{kind: logits}], training: {label_smoothing: 0.1}}]"],
            "the objective hard_labels has a label_smoothing of its own",
        ),
        (["objectives: [{kind: logits}]"], "needs exactly one of `teacher`, `teachers`; found none of them"),
        ([TEACHER, BOTH], "needs exactly one of `teacher`, `teachers`; found teacher and teachers"),
        (["teachers: [{stage: a}, {stage: a}]"], "`teachers` names 'a' twice: give it one weight"),
        (
            ["teachers: [{stage: a}, {stage: bb}]"],
            "teachers.1.stage names 'bb', which is no earlier stage; did you mean",
        ),
        (["teachers: [{stage: a}, {stage: news}]"], "teachers.1.stage needs a Checkpoint, but 'news' makes a Dataset"),
        (["teachers: [{stage: a, weight: 0}]"], "teachers.0.weight must be greater than 0, found 0"),
        (["teachers: [a]"], "teachers.0 must be a mapping, found 'a'"),
        (
            [BOTH, "objectives: [{kind: logits}, {kind: hidden_states}]"],
            "hidden_states looks into one teacher and there are several: say which by `teacher`, one of a, b",
        ),
        (
            [BOTH, "phases: [{objectives: [{kind: similarity, teacher: news}]}]"],
            "similarity looks into 'news', which is no teacher here: name one of a, b",
        ),
        (
            [TEACHER, "objectives: [{kind: patient, teacher: b}]"],
            "patient looks into 'b', which is no teacher here: name one of a",
        ),
        ([TEACHER, "objectives: [{kind: patient, pairing: lst}]"], "found 'lst'; did you mean 'last'?"),
        (
            [BOTH, "objectives: [{kind: hidden_states, teacher: a}, {kind: hard_labels}]"],
            "`teachers` names 'b', and no objective reads it: add logits, which learns from all of them, name it by",
        ),
        (
            ["teachers: [{stage: a}, {stage: b, weight: 3}]", f"phases: [{OF_A}, {OF_B}]"],
            "`weight: 3` of the teacher 'b' has no effect without logits, which learns the weighted mean",
        ),
        (
            [TEACHER, "phases: [{objectives: [{kind: logits}], keep: last, training: {evaluate_every: 5}}]"],
            "`evaluate_every` has no effect in a phase that keeps its last state, nothing is validated there",
        ),
        (
            [TEACHER, "training: {early_stopping: 3}", "phases: [{objectives: [{kind: logits}], keep: last}]"],
            "`early_stopping` has no effect in a phase that keeps its last state",
        ),
    ],
)
def test_a_mistake_is_said_once(lines, message):
    (found,) = problems(*lines)
    assert message in found
