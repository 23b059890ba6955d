"""Every mistake in a pipeline file that has its message in `messages.txt`: a title, the file, the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.pipeline.fake_steps import GOOD


@dataclass(frozen=True)
class Wrong:
    """One file with mistakes."""

    title: str
    content: bytes | str
    overrides: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def changed(title: str, *replacements: tuple[str, str]) -> Wrong:
    """The good file with some text replaced, once each."""
    text = GOOD
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    return Wrong(title, text)


def having(title: str, overrides: str, *more: str) -> Wrong:
    """The good file with overrides."""
    return Wrong(title, GOOD, (overrides, *more))


def from_environment(title: str, old: str, new: str, **environ: str) -> Wrong:
    """The good file with a variable in it."""
    return Wrong(title, GOOD.replace(old, new, 1), environ=environ)


BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    + [f"{this}: &{this} [{', '.join([f'*{last}'] * 10)}]" for last, this in zip("abcdefg", "bcdefgh", strict=True)]
)
TEMPERATURE = "    temperature: 2.0\n"
STUDENT_GATES = "gates: {against: teacher, max_drop: {accuracy: 0.01}}\n  - {name: onnx"

WRONG = [
    # the text
    Wrong("an empty file", ""),
    Wrong("a file of comments only", "# nothing\n"),
    Wrong("a list at the top", "- {name: news, step: load_data}\n"),
    Wrong("text at the top", "hello\n"),
    Wrong("not UTF-8", GOOD.encode().replace(b"bert_edge", b"bert_\xe9dge")),
    Wrong("UTF-16", GOOD.encode("utf-16")),
    Wrong("a control character", GOOD.replace("bert_edge", "bert\x07edge")),
    Wrong("a 10 MB file", b"# x\n" * 2_500_000),
    # the syntax
    changed("a tab", (TEMPERATURE, "\ttemperature: 2.0\n")),
    changed("a tab after the key", ("    teacher: teacher\n", "    student2:\n\t  x: 1\n")),
    changed("an indentation that fits nothing", (TEMPERATURE, "   temperature: 2.0\n")),
    changed("quotes never closed", ('"package:numpy/linalg"', '"package:numpy/linalg')),
    changed("a bracket never closed", ("{kind: dynamic_int8}", "{kind: dynamic_int8")),
    changed("two colons in a line", (TEMPERATURE, "    temperature: 2.0: 3\n")),
    changed("a missing colon", ("    data: news\n", "    data news\n")),
    changed("a value that begins with @", ("teacher: teacher", "teacher: @teacher")),
    changed("a value that begins with %", ("teacher: teacher", "teacher: %teacher")),
    changed("an unknown alias", ("student: {layers: 3}", "student: *small")),
    Wrong("a second document", GOOD + "---\nname: other\n"),
    Wrong("an alias bomb", BOMB + "\nname: boom\nstages: *h\n"),
    Wrong("an alias inside of what it names", "name: x\nstages: &s\n  - {name: a, step: load_data, source: *s}\n"),
    Wrong("too many values", "name: x\nstages: [" + "1, " * 20_000 + "]\n"),
    Wrong("too deep", "name: x\nstages: " + "[" * 1000 + "]" * 1000 + "\n"),
    changed("a Python tag", ("temperature: 2.0", "temperature: !!python/object/apply:os.system ['true']")),
    changed("a tag of one's own", ("temperature: 2.0", "temperature: !warm 2.0")),
    changed("a key that is a list", (TEMPERATURE, "    ? [a, b]\n    : 2.0\n")),
    changed("a merge of text", (TEMPERATURE, "    <<: teacher\n")),
    changed("a duplicate key", (TEMPERATURE, TEMPERATURE + "    temperature: 3.0\n")),
    # keys
    changed("an unknown key", ("    temperature: 2.0", "    temprature: 2.0")),
    changed("an unknown key like no other", ("    temperature: 2.0", "    xyz: 2.0")),
    changed("an unknown key in a nested mapping", ("training: {epochs: 2", "training: {epoch: 2")),
    changed("an unknown key of the pipeline", ("seed: 17", "sed: 17")),
    changed("an unknown key in a member of a union", ("weight: 0.9", "wieght: 0.9")),
    changed("an unknown key in a union without a tag", ("student: {layers: 3}", "student: {layer: 3}")),
    changed("two members of a union at once", ("student: {layers: 3}", "student: {layers: 3, stage: teacher}")),
    changed("a missing field", ("    teacher: teacher\n", "")),
    changed("a missing field in a nested mapping", ("source: {kind: bbc_news}", "source: {kind: csv}")),
    changed("a stage without a name", ("{name: onnx, step", "{step")),
    changed("a pipeline without a name", ("name: bert_edge\n", "")),
    Wrong("a pipeline without stages", "name: x\n"),
    Wrong("an empty list of stages", "name: x\nstages: []\n"),
    Wrong("stages that are a mapping", "name: x\nstages: {news: {step: load_data}}\n"),
    Wrong("a stage that is text", GOOD + "  - bundle\n"),
    Wrong("a stage that is nothing", GOOD + "  -\n"),
    # values
    changed("an unknown step", ("step: distill", "step: distil")),
    changed("an unknown step like no other", ("step: distill", "step: shrink")),
    changed("a stage without a step", ("{name: onnx, step: export_onnx, ", "{name: onnx, ")),
    changed("an unknown kind", ("kind: dynamic_int8", "kind: dynamic_int4")),
    changed("an unknown kind in a list", ("{kind: logits, temperature: 2.0, weight: 0.9}", "{kind: logit}")),
    changed("a missing kind", ("source: {kind: bbc_news}", "source: {}")),
    changed("a number out of bounds", ("    temperature: 2.0", "    temperature: -2")),
    changed("a number out of bounds in a list", ("weight: 0.9", "weight: 0")),
    changed("a number that is infinite", ("    temperature: 2.0", "    temperature: .inf")),
    changed("1e-4 is a number, here no whole one", ("rank: 16", "rank: 1e-4")),
    changed("text for a number", ("epochs: 2", "epochs: two")),
    changed("a fraction for a whole number", ("epochs: 2", "epochs: 2.5")),
    changed("true for a number", ("epochs: 2", "epochs: true")),
    changed("true for the seed", ("seed: 17", "seed: true")),
    changed("true for a number of measure", ("threads: 2", "threads: true")),
    changed("true in a shape", ("[1, 32]", "[true, 32]")),
    changed("true for the seed beside another mistake", ("seed: 17", "seed: true"), ("rank: 16", "rnk: 16")),
    changed("text for true or false", ("kind: dynamic_int8}", "kind: dynamic_int8, per_channel: maybe}")),
    changed("a list for a mapping", ("training: {epochs: 2}", "training: [2]")),
    changed("a mapping for a list", ("objectives: [{kind: logits,", "objectives: {a: 1}\n    xs: [{kind: logits,")),
    changed(
        "an empty list",
        (
            "objectives: [{kind: logits, temperature: 2.0, weight: 0.9}, {kind: hard_labels, weight: 0.1}]",
            "objectives: []",
        ),
    ),
    changed("a word that is none of those known", ("split: test", "split: tests")),
    changed("a word or a list", ("rank: 16", "targets: atuo")),
    changed("a number for a word or a list", ("rank: 16", "targets: 3")),
    changed("a wrong value in a union's list", ("layers: 3", "layers: [0, two]")),
    changed("a number or a list", ("layers: 3", "layers: three")),
    changed("a shape with one number", ("[1, 32]", "[32]")),
    changed("a shape with three numbers", ("[1, 32]", "[1, 32, 2]")),
    changed("a batch of nothing", ("[1, 32]", "[0, 32]")),
    changed("a number for a column", ("{kind: bbc_news}", "{kind: csv, train: a.csv, label: 2020}")),
    changed("a number for text or a pair", ("{kind: bbc_news}", "{kind: csv, train: a.csv, text: 7}")),
    changed("an empty path", ("{kind: bbc_news}", '{kind: csv, train: ""}')),
    changed("a number for a base", ('"package:numpy/linalg"', "3")),
    changed("a package outside of itself", ('"package:numpy/linalg"', '"package:numpy/../../etc"')),
    changed("a bad hub name", ('"package:numpy/linalg"', '"hub:a b"')),
    changed(
        "a rule of the step's own",
        ("source: {kind: bbc_news}", "source: {kind: bbc_news}, split: {validation: 0.5, test: 0.5}"),
    ),
    changed("a name with a slash", ("name: bert_edge", "name: bert/edge")),
    changed("a stage's name with a space", ("{name: onnx", "{name: on nx")),
    changed("a seed below zero", ("seed: 17", "seed: -1")),
    # the graph
    changed("a duplicate stage name", ("name: onnx", "name: student")),
    changed("a reference to a later stage", ("teacher: teacher\n", "teacher: int8\n")),
    changed("a reference to itself", ("teacher: teacher\n", "teacher: student\n")),
    changed("a reference to a missing stage", ("teacher: teacher\n", "teacher: techer\n")),
    changed("a reference to a missing stage like no other", ("teacher: teacher\n", "teacher: xyz\n")),
    changed("a reference that is a number", ("teacher: teacher\n", "teacher: 3\n")),
    changed("a wrong artifact on an edge", ("model: onnx", "model: teacher")),
    changed(
        "a wrong artifact where another stage fits",
        ("name: onnx, step: export_onnx, model: student", "name: onnx, step: export_onnx, model: delta"),
    ),
    changed("a wrong artifact in a list", (TEMPERATURE, "    unlabelled: [news, teacher]\n")),
    changed("a wrong artifact in a nested mapping", ("student: {layers: 3}", "student: {stage: news}")),
    # gates and measures
    changed(
        "an unknown metric in a gate",
        ("max_drop: {accuracy: 0.01}}\n  - {name: onnx", "max_drop: {acuracy: 0.01}}\n  - {name: onnx"),
    ),
    changed(
        "an unknown kind of gate",
        ("max_drop: {accuracy: 0.01}}\n  - {name: onnx", "maxdrop: {accuracy: 0.01}}\n  - {name: onnx"),
    ),
    changed(
        "a gate that is text",
        ("max_drop: {accuracy: 0.01}}\n  - {name: onnx", "max_drop: {accuracy: much}}\n  - {name: onnx"),
    ),
    changed("a gate against a data set", (STUDENT_GATES, STUDENT_GATES.replace("teacher", "news"))),
    changed("a gate against a later stage", (STUDENT_GATES, STUDENT_GATES.replace("teacher", "int8"))),
    changed("a gate against a missing stage", (STUDENT_GATES, STUDENT_GATES.replace("teacher", "teachr"))),
    changed("a drop against nothing", (STUDENT_GATES, STUDENT_GATES.replace("against: teacher, ", ""))),
    changed(
        "an agreement with nothing",
        (STUDENT_GATES, STUDENT_GATES.replace("against: teacher, max_drop: {accuracy: 0.01}", "min: {agreement: 0.9}")),
    ),
    changed(
        "a gate on a stage that makes no model",
        ("source: {kind: bbc_news}", "source: {kind: bbc_news}, gates: {min: {accuracy: 0.9}}"),
    ),
    changed(
        "a metric of another task", ("source: {kind: bbc_news}", "source: {kind: bbc_news}, task: text-regression")
    ),
    changed("a latency gate without latency", ("threads: 2}", "threads: 2, latency: none}")),
    changed("measured on a stage that is no data set", (TEMPERATURE, "    measure: {data: teacher}\n")),
    changed("measured on a missing stage", (TEMPERATURE, "    measure: {data: nws}\n")),
    changed("a reference model that is a data set", ("threads: 2}", "threads: 2, against: news}")),
    changed("a reference model that is missing", ("threads: 2}", "threads: 2, against: teachers}")),
    # variables
    from_environment("a variable that is not set", "    temperature: 2.0", "    temperature: ${env:WARMTH}"),
    from_environment("a variable that is empty", "    temperature: 2.0", "    temperature: ${env:WARMTH}", WARMTH=""),
    from_environment(
        "a variable of the wrong type", "    temperature: 2.0", "    temperature: ${env:WARMTH}", WARMTH="hot"
    ),
    from_environment("a default out of bounds", "    temperature: 2.0", "    temperature: ${env:WARMTH:--2}"),
    from_environment("a variable without env", "    temperature: 2.0", "    temperature: ${WARMTH}"),
    from_environment("a variable never closed", "    temperature: 2.0", "    temperature: ${env:WARMTH"),
    from_environment(
        "a variable without quotes in a flow mapping", "{kind: bbc_news}", "{kind: csv, train: ${env:DATA}/a.csv}"
    ),
    # --set
    having("--set without a value", "student.temperature"),
    having("--set on an unknown stage", "studnet.temperature=3"),
    having("--set on an unknown field", "student.temprature=3"),
    having("--set of an unknown nested field", "student.trainning.epochs=3"),
    having("--set of an unknown field of measure", "measure.splt=validation"),
    having("--set of a whole stage", "student={}"),
    having("--set of the stages", "stages=[]"),
    having("--set out of bounds", "student.temperature=-2"),
    having("--set of the wrong type", "seed=many"),
    having("--set of true for a number", "measure.threads=true"),
    having("--set in a list that is shorter", "student.objectives.5.weight=1"),
    having("--set in a list by name", "student.objectives.logits.weight=1"),
    having("--set below a number", "student.temperature.high=1"),
    having("--set of no YAML", "student.objectives=[{kind: logits"),
    having("--set of an edge to a missing stage", "onnx.model=studnt"),
    having("--set with an empty name", "student..temperature=1"),
    having("--set twice wrong", "student.temperature=-2", "int8.scheme.kind=int3"),
    # all at once
    changed(
        "several mistakes at once",
        ("seed: 17", "seed: x"),
        ("rank: 16", "rnk: 16"),
        ("    teacher: teacher\n", "    teacher: techer\n"),
        ("    temperature: 2.0", "    temperature: -2"),
        ("{name: onnx, step: export_onnx, model: student}", "{name: onnx, step: export_onnx, model: news}"),
        ("max_ratio: {latency_ms", "max_ratio: {latency"),
        ("{name: edge, step: bundle, model: int8}", "{name: edge, step: bundel, model: int8}"),
    ),
]
