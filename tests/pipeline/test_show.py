import json
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from compress.chain.key import key_of
from compress.chain.manifest import DatasetManifest, ModelManifest
from compress.chain.store import Store
from compress.cli import app
from compress.pipeline.show import facts, origin
from compress.reporting.listings import facts_table, origin_tree

LABELS = ("bad", "good")
DATASET = DatasetManifest(task="text-classification", labels=LABELS, labelled=True, splits={}, source="texts.csv")
MODEL = ModelManifest(
    kind="Checkpoint", task="text-classification", labels=LABELS, max_length=32, dataset="d" * 64, base="base",
    base_digest="b" * 64, parameters=12345,
)  # fmt: skip


def make(store, name, kind, manifest, **configuration):
    said = {"step": name, "version": 1, "seed": 17, "configuration": configuration}

    def build(folder):
        manifest.write(folder)
        return {"pipeline": "news", "stage": name}

    return store.make(key_of(said), kind=kind, said=said, build=build)


@pytest.fixture
def made(tmp_path):
    """A data set, a teacher, and a student that reads both, in a store."""
    store = Store(tmp_path / ".compress")
    data = make(store, "load_data", "Dataset", DATASET)
    teacher = make(store, "finetune", "Checkpoint", MODEL, data={"artifact": data.digest})
    wanted = {"data": {"artifact": data.digest}, "teacher": {"artifact": teacher.digest}, "rank": None, "steps": 60}
    changed = MODEL.model_copy(update={"max_length": 16})
    return store, data, teacher, make(store, "distill", "Checkpoint", changed, **wanted)


def drawn(thing):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(thing)
    return capture.get()


def test_the_facts_of_a_model_say_what_it_is_and_how_it_was_made(made):
    _, data, _, student = made
    said = dict(facts(student))
    assert (said["kind"], said["stage"]) == ("Checkpoint", "news.distill")
    assert re.search(r"\d{4}, \d\d:\d\d.*, in \d+\.\d s$", said["made"])
    assert (said["task"], said["labels"]) == ("text-classification", "bad, good")
    assert said["parameters"].replace("\u202f", "") == "12345"
    assert (said["step"], said["steps"], said["seed"]) == ("distill", "60", "17")
    assert said["data"] == f'{{"artifact": "{data.digest[:12]}…"}}'
    assert "rank" not in said
    assert "news.distill" in drawn(facts_table(facts(student)))


def test_a_data_set_has_no_parameters(made):
    assert "parameters" not in dict(facts(made[1]))


def test_what_it_was_made_from_is_followed_down_to_the_data_and_drawn_once(made):
    store, _, _, student = made
    tree = drawn(origin_tree(origin(student, store=store.root)))
    assert "news.distill  distill → Checkpoint" in tree.splitlines()[0]
    assert "news.finetune  finetune → Checkpoint" in tree
    assert tree.count("load_data → Dataset") == tree.count("news.load_data  see above") == 1


def test_a_parent_that_was_pruned_is_said(made):
    store, data, teacher, _ = made
    store.remove(data.key)
    (parent,) = origin(teacher, store=store.root).parents
    assert (parent.name, parent.what) == (data.digest[:12], "no longer in the store")


def test_an_onnx_model_is_found_by_its_files(made):
    store, _, teacher, _ = made

    def build(folder):
        MODEL.write(folder)
        (folder / "model.onnx").write_text("graph")
        (folder / "tokenizer.json").write_text("tokens")
        return {"pipeline": "news", "stage": "onnx"}

    onnx = store.make("0" * 64, kind="OnnxModel", said={"model": {"artifact": teacher.digest}}, build=build)
    name = "+".join(store.digests.file(onnx.path / file) for file in ("model.onnx", "tokenizer.json"))
    outputs = store.make("1" * 64, kind="outputs", said={"measure": "outputs", "model": name}, build=lambda _: None)
    assert [parent.name for parent in origin(outputs, store=store.root).parents] == ["news.onnx"]


def test_the_command_speaks_to_people_and_json_is_asked_for(made):
    store, _, _, student = made
    asked = ["show", student.key[:12], "--store", str(store.root)]
    said = CliRunner().invoke(app, asked).stdout
    assert "made from" in said
    assert "news.finetune" in said
    assert json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["key"] == student.key
