"""`compress compare`: what is found, what is refused and how it is said."""

import json
import subprocess
import sys

import pytest

from tests.reporting import sample


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runs(tmp_path):
    """Three runs below runs/, one of them of the failed kind."""
    for name, report in (
        ("bert_edge", sample.full_report()),
        ("int4", sample.full_report(pipeline="int4", environment={**sample.ENVIRONMENT, "processor": "AMD EPYC"})),
        ("failed", sample.failed_report().model_copy(update={"pipeline": "failed"})),
    ):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    return tmp_path / "runs"


def models(answer):
    assert answer[0] == 0, answer[2]
    said = json.loads(answer[1])
    return said["against"], [one["name"] for one in said["models"]]


def test_one_run_alone_compares_its_stages_with_its_reference(compress, runs):
    against, names = models(compress("compare", "bert_edge", "--json"))
    assert against == "teacher"
    assert names == ["delta", "teacher", "student", "onnx", "int8", "edge", "edge · short texts"]


def test_runs_are_found_by_name_folder_and_file(compress, runs, tmp_path):
    (tmp_path / "else").mkdir()
    moved = (runs / "int4").rename(tmp_path / "else" / "int4")
    for name in ("else/int4", moved / "report.json"):
        against, names = models(compress("compare", "bert_edge", name, "--json"))
        assert against == "bert_edge"
        assert "int4" in names


def test_single_stages_are_named_after_what_tells_them_apart(compress, runs):
    assert models(compress("compare", "bert_edge:teacher", "bert_edge:int8", "--json"))[1] == ["teacher", "int8"]
    assert models(compress("compare", "bert_edge:int8", "int4:int8", "--json"))[1] == ["bert_edge", "int4"]
    assert models(compress("compare", "bert_edge:int8", "bert_edge:onnx", "int4:int8", "--json"))[1] == [
        "bert_edge:int8", "bert_edge:onnx", "int4:int8",
    ]  # fmt: skip


def test_a_table_for_people_and_warnings_beside_it(compress, runs):
    code, out, error = compress("compare", "bert_edge:int8", "int4:int8")
    assert code == 0
    assert "0.9671" in out
    assert "warning: measured on different machines" in error
    assert "AMD EPYC, 2 cores" in error


def test_markdown_and_a_page(compress, runs, tmp_path):
    code, out, error = compress("compare", "bert_edge", "--markdown", "--html", tmp_path / "both.html")
    assert code == 0
    assert out.startswith("| model | accuracy |")
    assert "page: " in error
    assert "<h1>7 models side by side</h1>" in (tmp_path / "both.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["bert_egde"], ["there is no run 'bert_egde' in runs; did you mean 'bert_edge'?"]),
        (["zzz"], ["there is no run 'zzz' in runs; runs: bert_edge, failed, int4"]),
        (["bert_edge:int9"], ["there is no stage 'int9'; did you mean 'int8'?"]),
        (["bert_edge:news"], ["stage 'news' made no model that was measured; models: delta, teacher"]),
        (["failed:int8"], ["stage 'int8' was not reached; models: delta, teacher, student"]),
        (["bert_edge", "runs/bert_edge"], ["stage 'edge' is named 2 times."]),
        (["runs"], ["'runs' has no report.json: it is the folder of no run."]),
        (["/nowhere/report.json"], ["'/nowhere/report.json' does not exist."]),
        (["bert_egde", "bert_edge:int9"], ["no run 'bert_egde'", "no stage 'int9'"]),
        (["bert_edge", "--json", "--markdown"], ["give either --json or --markdown."]),
        (["bert_edge", "--html", "no/such/folder/a.html"], ["--html no/such/folder/a.html cannot be written"]),
        (["bert_edge"] * 25, ["25 runs are too many"]),
        (["x" * 300], ["'xxx", "cannot be looked for: File name too long."]),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_exits_with_2_and_says_why(compress, runs, arguments, messages):
    code, out, error = compress("compare", *arguments)
    assert (code, out) == (2, "")
    for message in messages:
        assert message in error


def damaged(report):
    said = json.loads(report.read_text(encoding="utf-8"))
    return {
        "cut": (report.read_text(encoding="utf-8")[:300], "is damaged:"),
        "newer": (json.dumps({**said, "schema": 7}), "has schema 7, and this version of compress reads 1"),
        "unknown": (json.dumps({**said, "surprise": 1}), "is not a report: surprise:"),
        "list": ("[1, 2]", "is not a report:"),
        "binary": (None, "is damaged:"),
        "deep": ("[" * 100_000, "is damaged:"),
    }


@pytest.mark.parametrize("kind", ["cut", "newer", "unknown", "list", "binary", "deep"])
def test_a_file_that_is_no_report_of_this_version_is_refused(compress, runs, kind):
    report = runs / "int4" / "report.json"
    content, message = damaged(report)[kind]
    report.write_bytes(b"\x80\x81\xff") if content is None else report.write_text(content, encoding="utf-8")
    code, out, error = compress("compare", "bert_edge", "int4")
    assert (code, out) == (2, "")
    assert message in error
    assert "Traceback" not in error


def test_without_any_run_the_way_to_one_is_said(compress):
    code, _, error = compress("compare", "bert_edge")
    assert code == 2
    assert "none in runs: `compress run FILE` makes one" in error


def test_a_run_without_a_model_is_refused(compress, runs):
    (runs / "int4" / "report.json").write_text(sample.no_model_report().to_json(), encoding="utf-8")
    code, _, error = compress("compare", "int4")
    assert code == 2
    assert "no stage of this run made a model that was measured" in error


def test_the_help_teaches(compress):
    code, out, _ = compress("compare", "--help")
    assert code == 0
    for word in ("compress compare bert_edge bert_edge_tiny", "RUN:STAGE", "--html", "--markdown", "warning"):
        assert word in out


def test_no_library_of_an_extra_is_needed_but_for_the_page(runs):
    code = """
import subprocess
import sys
for name in ("torch", "transformers", "onnx", "jinja2", "markupsafe", "optuna"):
    sys.modules[name] = None
from compress.cli import main
sys.argv = ["compress", "compare", "bert_edge", *sys.argv[1:]]
main()
"""
    asked = {
        options: subprocess.run(
            [sys.executable, "-c", code, *options], capture_output=True, text=True, check=False, cwd=runs.parent
        )
        for options in ((), ("--html", "a.html"))
    }
    assert asked[()].returncode == 0, asked[()].stderr
    assert "0.9671" in asked[()].stdout
    assert asked[("--html", "a.html")].returncode == 2
    assert "pip install 'compress-pipeline[train]'" in asked[("--html", "a.html")].stderr
    assert "Traceback" not in asked[("--html", "a.html")].stderr
