import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress.chain.outside import LocalPath
from compress.errors import ConfigurationError
from compress.pipeline.spec import Pipeline
from compress.pipeline.yaml.file import LoadedPipeline, read_pipeline
from tests.pipeline.fake_steps import GOOD, Distill, FakeStep, FinetuneLora, LoadData

DATA = """\
name: own
stages:
  - name: news
    step: load_data
    source:
      kind: csv
      train: rows/train.csv
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, *overrides: str, environ: Mapping[str, str] | None = None) -> LoadedPipeline:
    Path("pipelines").mkdir(exist_ok=True)
    path = Path("pipelines/edge.yaml")
    path.write_bytes(text.encode())
    return read_pipeline(path, overrides=overrides, environ=environ or {}, steps=FakeStep)


def refused(text: str, *overrides: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as error:
        read(text, *overrides, environ=environ)
    return error.value.problems


def named(spec: Pipeline, name: str) -> Any:
    return next(step for step in spec.stages if step.name == name)


def student(loaded: LoadedPipeline) -> Distill:
    found = named(loaded.spec, "student")
    assert isinstance(found, Distill)
    return found


def source(loaded: LoadedPipeline) -> LocalPath:
    found = loaded.spec.stages[0]
    assert isinstance(found, LoadData)
    assert found.source.kind == "csv"
    return found.source.train


def test_a_good_file_becomes_typed_stages(folder: Path) -> None:
    loaded = read(GOOD)
    assert [stage.name for stage in loaded.spec.stages] == [
        "news",
        "delta",
        "teacher",
        "student",
        "onnx",
        "int8",
        "edge",
    ]
    assert student(loaded).teacher.stage == "teacher"
    assert loaded.spec.measure.shapes == ((1, 128), (1, 32), (8, 64))
    assert (loaded.text, loaded.folder, loaded.warnings) == (GOOD, folder / "pipelines", ())


def test_the_seed_is_17_when_none_is_written(folder: Path) -> None:
    assert read(GOOD.replace("seed: 17\n", "")).spec.seed == 17


def test_scientific_notation_without_a_point_is_a_number(folder: Path) -> None:
    delta = named(read(GOOD.replace("{epochs: 2}", "{learning_rate: 1e-4}")).spec, "delta")
    assert isinstance(delta, FinetuneLora)
    assert delta.training.learning_rate == 1e-4


@pytest.mark.parametrize("word", ["no", "on", "yes", "off", "y", "N", "1:30", "2024-01-01", "1_0.x"])
def test_words_that_yaml_1_1_reads_otherwise_are_text(folder: Path, word: str) -> None:
    loaded = read(DATA + f"      label: {word}\n")
    assert loaded.spec.stages[0].source.label == word  # type: ignore[attr-defined]


def test_quoted_words_are_text_and_unquoted_no_is_false_where_a_boolean_is_wanted(folder: Path) -> None:
    loaded = read(GOOD.replace("{epochs: 2}", "{class_weights: no}"))
    assert named(loaded.spec, "delta").training.class_weights is False  # type: ignore[attr-defined]
    assert read(DATA + '      label: "true"\n').spec.stages[0].source.label == "true"  # type: ignore[attr-defined]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder: Path) -> None:
    assert read("\ufeff" + GOOD.replace("\n", "\r\n")).spec.name == "bert_edge"


def test_anchors_and_merge_keys_are_expanded_and_own_keys_win(folder: Path) -> None:
    text = GOOD.replace("training: {epochs: 2}}", "training: &long {epochs: 9, learning_rate: 0.1}}")
    loaded = read(text.replace("    temperature: 2.0\n", "    training: {<<: *long, epochs: 4}\n"))
    assert (student(loaded).training.epochs, student(loaded).training.learning_rate) == (4, 0.1)


def test_earlier_merged_mappings_win_over_later_ones(folder: Path) -> None:
    merged = "    training: {<<: [{epochs: 1}, {epochs: 2, learning_rate: 0.5}]}\n"
    loaded = read(GOOD.replace("    temperature: 2.0\n", merged))
    assert (student(loaded).training.epochs, student(loaded).training.learning_rate) == (1, 0.5)


def test_an_explicit_tag_of_plain_yaml_is_obeyed(folder: Path) -> None:
    assert read(DATA + "      label: !!str 2020\n").spec.stages[0].source.label == "2020"  # type: ignore[attr-defined]


def test_local_paths_are_relative_to_the_file(folder: Path) -> None:
    assert source(read(DATA)).path == folder / "pipelines/rows/train.csv"


def test_local_paths_of_overrides_are_relative_to_the_working_directory(folder: Path) -> None:
    assert source(read(DATA, "news.source.train=other.csv")).path == folder / "other.csv"
    assert source(read(DATA, "news.source={kind: csv, train: other.csv}")).path == folder / "other.csv"
    assert source(read(DATA, "news.source.label=x")).path == folder / "pipelines/rows/train.csv"
    assert source(read(DATA, "news.source.train=/data/a.csv")).path == Path("/data/a.csv")


def test_a_package_in_an_override_stays_a_package(folder: Path) -> None:
    delta = named(read(GOOD, "delta.base=package:json/tool").spec, "delta")
    assert str(delta.base) == "package:json/tool"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("student.temperature=3", lambda spec: named(spec, "student").temperature == 3.0),
        ("student.temperature=1e1", lambda spec: named(spec, "student").temperature == 10.0),
        ("student.objectives.1.weight=0.5", lambda spec: named(spec, "student").objectives[1].weight == 0.5),
        ("student.training.epochs=7", lambda spec: named(spec, "student").training.epochs == 7),
        ("student.student={layers: [0, 2]}", lambda spec: named(spec, "student").student.layers == (0, 2)),
        ("student.gates=null", lambda spec: named(spec, "student").gates is None),
        ("student.gates.max_drop.accuracy=0.5", lambda spec: named(spec, "student").gates.max_drop["accuracy"] == 0.5),
        ("student.seed=4", lambda spec: named(spec, "student").seed == 4),
        ("seed=3", lambda spec: spec.seed == 3),
        ("name=other", lambda spec: spec.name == "other"),
        ("measure.split=validation", lambda spec: spec.measure.split == "validation"),
        ("measure.shapes.0=[2, 16]", lambda spec: spec.measure.shapes[0] == (2, 16)),
    ],
)
def test_an_override_takes_the_place_of_a_field(folder: Path, override: str, value: object) -> None:
    assert callable(value)
    assert value(read(GOOD, override).spec)


def test_an_override_finds_a_figure_with_a_dot_in_its_name(folder: Path) -> None:
    text = GOOD.replace("max_drop: {accuracy: 0.01}}\n  - {name: onnx", "min: {recall.sport: 0.9}}\n  - {name: onnx")
    gates = named(read(text, "student.gates.min.recall.sport=0.5").spec, "student").gates
    assert gates is not None
    assert gates.min == {"recall.sport": 0.5}


def test_the_last_of_two_overrides_wins(folder: Path) -> None:
    assert read(GOOD, "seed=3", "seed=4").spec.seed == 4


def test_an_override_changes_one_use_of_an_anchor_only(folder: Path) -> None:
    text = GOOD.replace("training: {epochs: 2}}", "training: &long {epochs: 9}}")
    text = text.replace("    temperature: 2.0\n", "    training: *long\n")
    loaded = read(text, "student.training.epochs=1")
    assert student(loaded).training.epochs == 1
    assert named(loaded.spec, "delta").training.epochs == 9  # type: ignore[attr-defined]


def test_an_override_repairs_the_mistake_it_replaces(folder: Path) -> None:
    assert (
        student(read(GOOD.replace("temperature: 2.0\n", "temperature: -2\n"), "student.temperature=2")).temperature == 2
    )


def test_overrides_are_kept_in_the_text_as_it_was_run(folder: Path) -> None:
    assert read(GOOD, "seed=3").text == GOOD + "# --set seed=3\n"


def test_variables_are_typed_as_yaml_would_type_them(folder: Path) -> None:
    text = GOOD.replace("temperature: 2.0\n", "temperature: ${env:WARMTH:-3}\n")
    assert student(read(text)).temperature == 3.0
    assert student(read(text, environ={"WARMTH": "1e1"})).temperature == 10.0
    assert read(DATA + '      label: "${env:COLUMN}"\n', environ={"COLUMN": "7"}).spec.stages[0].source.label == "7"  # type: ignore[attr-defined]


def test_variables_of_overrides_are_filled_in(folder: Path) -> None:
    assert read(GOOD, "seed=${env:SEED}", environ={"SEED": "5"}).spec.seed == 5


def test_the_value_of_a_variable_is_not_kept_in_the_text(folder: Path) -> None:
    loaded = read(DATA + "      label: ${env:COLUMN}\n", environ={"COLUMN": "secret"})
    assert "secret" not in loaded.text


def test_what_is_found_later_can_still_be_said_at_its_place(folder: Path) -> None:
    said = read(DATA).said_at(("stages", 0, "source", "train"), "'train.csv' does not exist")
    assert said == "pipelines/edge.yaml:7:7: stage 'news': 'train.csv' does not exist"


def test_a_data_set_that_nobody_reads_is_a_warning(folder: Path) -> None:
    loaded = read(
        GOOD.replace("  - {name: edge", "  - {name: spare, step: load_data, source: {kind: bbc_news}}\n  - {name: edge")
    )
    assert loaded.warnings == ("pipelines/edge.yaml:22:6: stage 'spare': no stage reads the Dataset that it makes",)


def test_every_stage_being_wrong_does_not_count_as_no_stage(folder: Path) -> None:
    (problem,) = refused("name: x\nstages:\n  - {name: a}\n")
    assert problem.startswith("pipelines/edge.yaml:3:5: stage 'a': needs 'step': load_data, ")


def test_a_missing_file_names_its_neighbour(folder: Path) -> None:
    Path("bert_edge.yaml").write_text(GOOD)
    with pytest.raises(
        ConfigurationError, match=r"^bert_edg.yaml: there is no such file; did you mean 'bert_edge.yaml'"
    ):
        read_pipeline(Path("bert_edg.yaml"), environ={}, steps=FakeStep)


def test_a_folder_is_refused_with_the_files_in_it(folder: Path) -> None:
    Path("pipelines").mkdir()
    Path("pipelines/a.yaml").write_text(GOOD)
    with pytest.raises(ConfigurationError, match=r"^pipelines: is a folder; name the pipeline file in it: a.yaml$"):
        read_pipeline(Path("pipelines"), environ={}, steps=FakeStep)


YAML_LIKE = st.text(st.sampled_from("abc:-[]{}&*!|>'\"#%@,? \n\t0.$<x~"), max_size=60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(YAML_LIKE, YAML_LIKE.map(lambda text: f"name: x\nstages:\n  - {text}"), st.text(max_size=30)))
def test_any_text_is_refused_with_a_message_and_nothing_else(folder: Path, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert refused(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(
        [
            "teacher",
            "student",
            "objectives",
            "gates",
            "training",
            "measure",
            "objectives.0",
            "unlabelled",
            "name",
            "step",
        ]
    ),
    value=YAML_LIKE,
)
def test_any_override_is_read_or_refused_with_a_message(folder: Path, field: str, value: str) -> None:
    with suppress(ConfigurationError):
        read(GOOD, f"student.{field}={value}")


def test_reading_imports_nothing_heavy() -> None:
    program = (
        "import sys, compress.pipeline.yaml.file, compress.pipeline.schema, compress.steps; "
        "print({'torch', 'transformers', 'datasets', 'sklearn', 'numpy', 'onnxruntime'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
