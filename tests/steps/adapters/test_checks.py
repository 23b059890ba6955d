"""What `compress check` says of a set before any work."""

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import read_pipeline

HEAD = """\
name: two
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: rows, step: load_data, task: text-regression, source: {kind: csv, train: r.csv, text: text, label: label}}
  - {name: full, step: finetune, data: news, base: base}
  - {name: headed, step: finetune, data: news, base: base, strategy: {kind: head_only}}
  - {name: onnx, step: export_onnx, model: headed, graph: lean}
  - {name: batch, step: quantize, model: onnx, scheme: {kind: dynamic_int8}}
  - {name: token, step: quantize, model: onnx, scheme: {kind: dynamic_int8, per_token: true}}
  - {name: a, step: finetune_lora, data: news, base: base, rank: 8}
  - {name: b, step: finetune_lora, data: news, base: base, rank: 4, rank_pattern: {query: 32}}
  - {name: number, step: finetune_lora, data: rows, base: base}
  - {name: package, step: finetune_lora, data: news, base: "package:numpy/linalg"}
  - {name: package_too, step: finetune_lora, data: news, base: "package:numpy/fft"}
  - {name: on_stage, step: finetune_lora, data: news, base: {stage: full}}
  - {name: on_stage_too, step: finetune_lora, data: news, base: {stage: full}}
  - {name: mixed, step: combine_lora, head: on_stage, deltas: [{stage: on_stage}, {stage: on_stage_too}]}
  - {name: elsewhere, step: finetune, data: news, base: "package:numpy/fft", strategy: {kind: head_only}}
  - {name: set, step: adapter_set, """


def said(tmp_path, text: str) -> str:
    (tmp_path / "two.yaml").write_text(f"{HEAD}{text}}}\n")
    try:
        read_pipeline(tmp_path / "two.yaml", environ={})
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "text",
    [
        "deltas: {x: a, y: b, z: number}",
        "deltas: {x: a}, scheme: {kind: dynamic_int8, per_token: true}",
        "deltas: {x: a}, scheme: {kind: weight_only}",
        "deltas: {x: a}, base: headed",
        "deltas: {x: a}, base: onnx, scheme: {kind: dynamic_int8, per_token: true}",
        "deltas: {x: a}, base: token",
        "deltas: {x: on_stage}, base: full",
        "deltas: {x: on_stage, y: mixed}, base: full",
        "deltas: {x: a, y: b}, max_rank: 32",
        "deltas: {x: a, y: number}, gates: {max_drop: {accuracy: 0.01, rmse: 0.1}, max: {size_mb: 9, latency_ms: 4}}",
        "deltas: {x: a}, gates: {min: {agreement: 0.9, recall.sport: 0.8}}, measure: {split: validation}",
    ],
)
def test_a_good_set_is_let_through(tmp_path, text):
    assert said(tmp_path, text) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deltas: {}", "stage 'set': deltas must have at least 1 item"),
        ("deltas: {x: full}", "deltas.x needs a LoraDelta, but 'full' makes a Checkpoint"),
        ("deltas: {'../x': a}", "'../x' cannot name an adapter: 1 to 64 letters, digits,"),
        ("deltas: {a..b: a}", "'a..b' cannot name an adapter"),
        (
            "deltas: {x: package, y: package_too}",
            "'y' was trained on 'package:numpy/fft', 'x' on 'package:numpy/linalg': a set has one base, so train",
        ),
        ("deltas: {x: a, y: on_stage}", "'y' was trained on stage 'full', 'x' on 'base': a set has one base"),
        ("deltas: {x: a, y: mixed}", "'y' was trained on stage 'full', 'x' on 'base': a set has one base"),
        ("deltas: {x: a, y: b}, max_rank: 16", "max_rank 16 is below rank 32 of 'y': raise it, or leave it out"),
        (
            "deltas: {x: a}, base: full",
            "not on 'full' (finetune): leave base out, or train the deltas with `base: {stage: full}`",
        ),
        (
            "deltas: {x: package}, base: elsewhere",
            "'x' was trained on 'package:numpy/linalg', not on 'elsewhere' (fine",
        ),
        (
            "deltas: {x: a}, base: batch",
            "adapters' rows; in that stage write `scheme: {kind: dynamic_int8, per_token: true}`",
        ),
        (
            "deltas: {x: a}, base: token, scheme: {kind: weight_only}",
            "'token' is quantized already: leave scheme out, or name the float stage as base",
        ),
        (
            "deltas: {x: a}, scheme: {kind: dynamic_int8}",
            "an adapter's answer must not depend on the rows of other adapters beside it: write `scheme: ",
        ),
        (
            "deltas: {x: a}, gates: {against: full, max_drop: {accuracy: 0.01}}",
            "each adapter is held against the delta that it was made of, never against one stage: leave 'against' out",
        ),
        ("deltas: {x: a}, gates: {min: {acuracy: 0.9}}", "'acuracy' is not a figure of text-classification, did you"),
        ("deltas: {x: a}, gates: {max_drop: {rmse: 0.1}}", "'rmse' is not a figure of text-classification"),
        (
            "deltas: {x: a}, gates: {max_ratio: {latency_ms: 0.5}}",
            "'latency_ms' belongs to the set as a whole, which is compared with no other stage: use max",
        ),
        ("deltas: {x: a}, gates: {max_drop: {agreement: 0.1}}", "'agreement' is about two models already"),
        ("deltas: {x: a}, measure: {data: news}", "each adapter is measured on its own delta's data: leave 'data' out"),
    ],
)
def test_a_mistake_is_said_with_what_to_do(tmp_path, text, message):
    assert message in said(tmp_path, text)


def test_no_other_stage_can_be_held_against_a_set(tmp_path):
    later = (
        "deltas: {x: a}}\n  - {name: merged, step: merge_lora, delta: a, gates: {against: set, max_drop: {accuracy: 1}}"
    )
    assert "gates.against needs a model, but 'set' makes an AdapterSet" in said(tmp_path, later)


def test_a_latency_gate_needs_a_latency(tmp_path):
    file = tmp_path / "two.yaml"
    text = HEAD.replace("stages:", "measure: {latency: none}\nstages:")
    file.write_text(f"{text}deltas: {{x: a}}, gates: {{max: {{latency_ms: 4}}}}}}\n")
    with pytest.raises(ConfigurationError, match=r"latency is not measured: set measure\.latency to"):
        read_pipeline(file, environ={})
