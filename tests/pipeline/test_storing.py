import os
import subprocess
import sys
import time

import pytest

from compress.chain.key import key_of
from compress.chain.store import Store
from compress.chain.stored import RECORD
from compress.errors import StoreError
from compress.pipeline.storing import left_overs, prune, references, unneeded
from tests.reporting.sample import full_report

HOST = "f" * 64
HOLD = """
import sys
from pathlib import Path
from compress.chain.store import Store
def build(folder):
    print("at work", flush=True)
    sys.stdin.read()
Store(Path(sys.argv[1])).make("c" * 64, kind="Checkpoint", said={}, build=build)
"""


class Workshop:
    """A store filled by hand, and the reports that were published from it."""

    def __init__(self, folder):
        self.store, self.runs = Store(folder / "store"), folder / "runs"

    def make(self, kind, said, **files):
        def build(folder):
            for name, text in files.items():
                (folder / name.replace("_", ".")).write_text(text)

        made = self.store.make(key_of(said), kind=kind, said=said, build=build)
        os.utime(made.path / RECORD, (0, 0))
        return made

    def measure(self, model, data):
        """The outputs and latency of a model, as `outputs` and `latencies` name it."""
        outputs = self.make("outputs", {"model": model, "data": data.digest}, logits_npy=model)
        latency = self.make("latency", {"models": [model.split("+")[0]], "data": data.digest, "host": HOST})
        return outputs, latency

    def publish(self, *stored):
        pairs = zip(full_report().stages, stored, strict=False)
        stages = [stage.model_copy(update={"key": one.key}) for stage, one in pairs]
        (self.runs / "news").mkdir(parents=True)
        (self.runs / "news" / "report.json").write_text(full_report(stages=stages).to_json())

    def leaving(self, *, days=0.0):
        return {one.key for one in unneeded(self.store, runs=self.runs, days=days)}


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


def checkpoint(workshop, name, data):
    return workshop.make("Checkpoint", {"step": name, "data": {"artifact": data.digest}}, weights=name)


def onnx_model(workshop, model):
    said = {"step": "export_onnx", "model": {"artifact": model.digest}}
    return workshop.make("OnnxModel", said, model_onnx="graph", tokenizer_json="tokens")


def test_the_measures_of_a_published_run_stay_and_those_of_others_go(workshop):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    model, old = checkpoint(workshop, "model", data), checkpoint(workshop, "old", data)
    ours, theirs = workshop.measure(model.digest, data), workshop.measure(old.digest, data)
    logits = workshop.make("cache", {"teacher": model.digest, "data": data.digest}, logits="1")
    workshop.publish(data, model)
    assert workshop.leaving() == {old.key, *(one.key for one in theirs)}
    assert {logits.key, *(one.key for one in ours)}.isdisjoint(workshop.leaving())


def test_the_measures_of_a_published_onnx_model_stay(workshop):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    model = checkpoint(workshop, "model", data)
    onnx = onnx_model(workshop, model)
    graph, tokens = (workshop.store.digests.file(onnx.path / name) for name in ("model.onnx", "tokenizer.json"))
    workshop.measure(f"{graph}+{tokens}", data)
    workshop.publish(data, model, onnx)
    assert workshop.leaving() == set()


@pytest.mark.parametrize("folder", ["search", "search-other"])
def test_what_a_search_chose_stays(workshop, folder):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    model, old = checkpoint(workshop, "model", data), checkpoint(workshop, "old", data)
    workshop.publish(data, model)
    (workshop.runs / "news" / folder).mkdir()
    (workshop.runs / "news" / folder / "best").mkdir()
    (workshop.runs / "news" / "report.json").rename(workshop.runs / "news" / folder / "best" / "report.json")
    assert workshop.leaving() == {old.key}


def test_a_comparison_of_kept_answers_stays_and_one_with_answers_that_go_goes(workshop):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    this, other, old = (checkpoint(workshop, name, data) for name in ("this", "other", "old"))
    answers = [workshop.measure(model.digest, data)[0].digest for model in (this, other, old)]
    stays = workshop.make("comparison", {"this": answers[0], "other": answers[1]})
    goes = workshop.make("comparison", {"this": answers[0], "other": answers[2]})
    workshop.publish(data, this, other)
    assert goes.key in workshop.leaving()
    assert stays.key not in workshop.leaving()


def test_what_a_recent_artifact_was_made_from_stays_however_long_ago_that_was(workshop):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    teacher = checkpoint(workshop, "teacher", data)
    student = workshop.make("Checkpoint", {"step": "distill", "teacher": {"artifact": teacher.digest}}, weights="s")
    workshop.store.touch(student)
    assert workshop.leaving(days=1 / 24) == set()
    assert workshop.leaving(days=0) == {data.key, teacher.key, student.key}


def test_references_are_digests_of_the_store_and_not_of_the_outside():
    one, two = "a" * 64, "b" * 64
    said = {"model": f"{one}+{two}", "host": HOST, "seed": 17, "configuration": {"base": {"read": HOST}, "data": [two]}}
    assert references(said) == {f"{one}+{two}", two}


def test_nothing_is_removed_while_a_run_makes_something(workshop):
    data = workshop.make("Dataset", {"step": "load_data"}, rows="1")
    run = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workshop.store.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert run.stdout.readline() == b"at work\n"
    with pytest.raises(StoreError, match=r"a run is making cccccccccccc .* prune when it has ended"):
        prune(workshop.store, [data], [])
    assert workshop.store.find(data.key) is not None
    run.communicate()
    prune(workshop.store, [data], [])
    assert workshop.store.find(data.key) is None


def test_unfinished_work_goes_after_a_day(workshop):
    new, old = workshop.store.root / "tmp" / "new-1", workshop.store.root / "tmp" / "old-1"
    for folder in (new, old):
        folder.mkdir()
        (folder / "weights").write_text("")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert left_overs(workshop.store) == [old]
    prune(workshop.store, [], left_overs(workshop.store))
    assert (new.exists(), old.exists()) == (True, False)
