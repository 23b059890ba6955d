import pytest
from pydantic import ValidationError

from compress.benchmarking.machine import Machine, this_machine
from compress.chain.manifest import ModelManifest
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.steps.quantization.target import Target, this_cpu
from compress.steps.quantize import Quantize
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_onnx


def step(kind="dynamic_int8", **scheme):
    return Quantize.model_validate(
        {"name": "int8", "step": "quantize", "model": "onnx", "scheme": {"kind": kind, **scheme}}
    )


def test_makes_a_smaller_model_that_answers_and_counts_what_it_did(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    made = step().run(TinyWorkspace(tmp_path / "out", {"onnx": source}))
    manifest = ModelManifest.read(made.path)
    assert manifest.kind == "OnnxModel"
    assert not manifest.batch_invariant
    assert manifest.details["batch_invariance"] == {"same": False}
    assert manifest.lineage[-1].digest == source.digest
    assert manifest.details["quantized"] == {"MatMul": 12, "Gemm": 2, "Gather": 3}
    assert manifest.details["activation_products"] == 4
    assert manifest.details["scheme"] == {
        "kind": "dynamic_int8", "per_token": False, "per_channel": True, "weights": None, "embeddings": True,
        "reduce_range": None, "target": None,
    }  # fmt: skip
    assert manifest.details["size_mb_after"] < manifest.details["size_mb_before"]
    assert {path.name for path in made.path.iterdir()} >= {"model.onnx", "config.json", "tokenizer.json"}
    batch = TextEncoder.load(made.path, max_length=32).encode(["goal match"])
    assert open_onnx(made.path, threads=1).predict(batch)["logits"].shape == (1, 3)


def test_each_option_reaches_the_quantizer(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    sizes = {}
    for name, options in {
        "all": {},
        "float_embeddings": {"embeddings": False},
        "tensor": {"per_channel": False},
        "small_embeddings": {"embeddings": {"bits": 4}},
        "token": {"per_token": True},
        "small_weights": {"per_token": True, "weights": {"bits": 4}},
        "blocks": {"kind": "weight_only"},
        "small_blocks": {"kind": "weight_only", "bits": 4},
        "all_small_blocks": {"kind": "weight_only", "bits": 4, "embeddings": {"bits": 4, "block_size": 16}},
        "blocks_float_embeddings": {"kind": "weight_only", "embeddings": False},
    }.items():
        made = step(**options).run(TinyWorkspace(tmp_path / name, {"onnx": source}))
        sizes[name] = (made.path / "model.onnx").stat().st_size
    assert sizes["tensor"] < sizes["all"] < sizes["float_embeddings"]
    assert sizes["small_embeddings"] < sizes["all"]
    assert sizes["small_weights"] < sizes["token"]
    assert sizes["all_small_blocks"] < sizes["small_blocks"] < sizes["blocks"] < sizes["blocks_float_embeddings"]


BLOCKS = {"kind": "weight_only", "bits": 4, "block_size": 256}


@pytest.mark.parametrize(
    ("scheme", "measured", "said"),
    [
        ({}, True, False),
        ({"per_token": True}, True, True),
        ({"per_token": True}, False, False),
        (BLOCKS, True, True),
        (BLOCKS, False, False),
    ],
)
def test_whether_answers_depend_on_the_batch_is_measured_and_not_believed(
    tmp_path, monkeypatch, scheme, measured, said
):
    monkeypatch.setattr("compress.quantization.invariance.is_batch_invariant", lambda folder, max_length: measured)
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    workspace = TinyWorkspace(tmp_path / "out", {"onnx": source})
    manifest = ModelManifest.read(step(**scheme).run(workspace).path)
    assert manifest.batch_invariant == manifest.details["batch_invariance"]["same"] == said
    assert ("processor" in manifest.details["batch_invariance"]) == bool(scheme), "per batch nobody asks"
    warned = [one for one in workspace.progress.warnings if "depends a little on the texts beside it" in one]
    assert len(warned) == (scheme != {} and not measured)


def test_an_answer_per_token_is_the_same_in_any_batch_here(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    manifest = ModelManifest.read(step(per_token=True).run(TinyWorkspace(tmp_path / "out", {"onnx": source})).path)
    assert manifest.batch_invariant
    assert manifest.details["batch_invariance"]["processor"] == this_machine().processor


def test_embeddings_true_is_8_bits_in_every_scheme(tmp_path):
    made = [
        model_file(tmp_path / f"{kind}{place}", kind=kind, embeddings=embeddings)[0]
        for kind in ("dynamic_int8", "weight_only")
        for place, embeddings in enumerate((True, {"bits": 8}))
    ]
    assert made[0] == made[1]
    assert made[2] == made[3]


def model_file(folder, **options):
    source = tiny_artifact("OnnxModel", tiny_onnx(folder / "onnx"))
    workspace = TinyWorkspace(folder / "out", {"onnx": source})
    return (step(**options).run(workspace).path / "model.onnx").read_bytes(), workspace.progress.warnings


def test_a_target_without_vnni_reduces_the_range_unless_that_is_said_otherwise(tmp_path):
    plain, _ = model_file(tmp_path / "plain")
    reduced, _ = model_file(tmp_path / "reduced", reduce_range=True)
    for_avx2, _ = model_file(tmp_path / "avx2", target={"cpu": "avx2"})
    for_vnni, _ = model_file(tmp_path / "vnni", target={"cpu": "avx512_vnni"})
    told, _ = model_file(tmp_path / "told", target={"cpu": "avx2"}, reduce_range=False)
    assert plain != reduced
    assert for_avx2 == reduced
    assert for_vnni == told == plain


def test_another_target_than_this_machine_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("compress.steps.quantization.target.this_cpu", lambda: "avx512_vnni")
    _, warnings = model_file(tmp_path / "other", target={"cpu": "arm64"})
    assert warnings == [
        (
            "the target is arm64, but this machine is avx512_vnni: latencies measured here do not hold there, "
            "and answers may differ a little."
        )
    ]
    assert model_file(tmp_path / "same", target={"cpu": "avx512_vnni"})[1] == []
    assert model_file(tmp_path / "none")[1] == []


def test_native_is_this_machine_from_the_start(monkeypatch):
    monkeypatch.setattr("compress.steps.quantization.target.this_cpu", lambda: "avx_vnni")
    assert step(target={"cpu": "native"}).scheme.target == step(target={}).scheme.target == Target(cpu="avx_vnni")
    monkeypatch.setattr("compress.steps.quantization.target.this_cpu", lambda: None)
    with pytest.raises(ValidationError, match="cannot tell this machine's instruction sets: name the processor"):
        step(target={"cpu": "native"})


@pytest.mark.parametrize(
    ("architecture", "sets", "cpu"),
    [("x86_64", ("avx2", "avx512f", "avx512_vnni"), "avx512_vnni"), ("arm64", (), "arm64"), ("x86_64", (), None)],
)
def test_this_cpu_is_what_the_machine_says_of_itself(monkeypatch, architecture, sets, cpu):
    machine = Machine("it", architecture, sets, cores=1, quota_cores=None, memory_gb=None)
    monkeypatch.setattr("compress.benchmarking.machine.this_machine", lambda: machine)
    assert this_cpu() == cpu


@pytest.mark.parametrize(
    ("cpu", "scheme", "warned"),
    [
        ("avx2", {}, True),
        ("avx512", {"per_token": True}, True),
        ("avx2", {"reduce_range": False}, False),
        ("avx2", {"target": {"cpu": "avx2"}}, False),
        ("avx_vnni", {}, False),
        (None, {}, False),
    ],
)
def test_a_machine_whose_products_saturate_is_a_warning_where_no_target_is_named(
    tmp_path, monkeypatch, cpu, scheme, warned
):
    monkeypatch.setattr("compress.steps.quantization.target.this_cpu", lambda: cpu)
    _, warnings = model_file(tmp_path, **scheme)
    assert any("overflows for weights beyond 7 bits" in one for one in warnings) == warned


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ({"weights": {"bits": 4}}, "need `per_token: true`"),
        ({"embeddings": {"bits": 8, "block_size": 32}}, "block_size belongs to 4 bits"),
        ({"kind": "weight_only", "block_size": 48}, "16, 32, 64, 128 or 256"),
        ({"kind": "weight_only", "bits": 2}, "8 or 4"),
        ({"kind": "weight_only", "per_token": True}, "Extra inputs"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_any_work(scheme, message):
    with pytest.raises(ValidationError, match=message):
        step(**scheme)


def test_the_scheme_s_default_is_dynamic_int8_and_others_are_unknown():
    assert Quantize.model_validate({"name": "q", "step": "quantize", "model": "onnx"}) == step().model_copy(
        update={"name": "q"}
    )
    with pytest.raises(ValidationError, match="dynamic_int8"):
        step(kind="wishful")
