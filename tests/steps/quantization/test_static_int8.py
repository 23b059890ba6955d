import pytest
from pydantic import ValidationError

from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.errors import QuantizationError
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.steps.adapter_set import AdapterSet
from compress.steps.export_onnx import ExportOnnx
from compress.steps.merge_lora import MergeLora
from compress.steps.quantize import Quantize
from compress.steps.train_quantized import TrainQuantized
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_onnx


def step(**scheme):
    scheme = {"kind": "static_int8", **scheme}
    return Quantize.model_validate({"name": "int8", "step": "quantize", "model": "onnx", "scheme": scheme})


@pytest.fixture
def made(tmp_path):
    return {
        "onnx": tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx")),
        "texts": tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "texts")),
    }


def run(folder, made, **scheme):
    workspace = TinyWorkspace(folder, made)
    return step(**scheme).run(workspace), workspace


def test_makes_a_model_that_answers_and_says_what_it_was_calibrated_on(tmp_path, made):
    artifact, workspace = run(tmp_path / "out", made, calibrate_ranges={"rows": 16})
    manifest = ModelManifest.read(artifact.path)
    details = manifest.details
    assert details["quantized"] == {"MatMul": 12, "Gemm": 2, "Gather": 3}
    assert details["activation_products"] == 4
    assert details["calibration"]["data"] == made["texts"].digest
    assert details["calibration"]["split"] == "train"
    assert len(details["calibration"]["rows"]) == 16
    assert len(details["ranges"]) == 10
    assert details["left_float"] == []
    assert details["smoothed_norms"] == 0
    assert details["scheme"]["calibrate_ranges"] == {"data": None, "rows": 16, "seed": None}
    assert manifest.batch_invariant == details["batch_invariance"]["same"] is True
    assert details["size_mb_after"] < details["size_mb_before"]
    assert not workspace.progress.warnings
    batch = TextEncoder.load(artifact.path, max_length=32).encode(["goal match"])
    assert open_onnx(artifact.path, threads=1).predict(batch)["logits"].shape == (1, 3)
    assert {path.name for path in artifact.path.iterdir()} >= {"model.onnx", "config.json", "tokenizer.json"}


def test_each_option_reaches_the_quantizer(tmp_path, made):
    files = {}
    for name, options in {
        "all": {},
        "percentile": {"ranges": "percentile"},
        "another_percentile": {"ranges": "percentile", "percentile": 90},
        "entropy": {"ranges": "entropy"},
        "smooth": {"smooth": 0.5},
        "smoother": {"smooth": 0.8},
        "tensor": {"per_channel": False},
        "head_in_float": {"leave_float": ["Gemm"]},
        "float_embeddings": {"embeddings": False},
        "small_embeddings": {"embeddings": {"bits": 4}},
        "reduced": {"reduce_range": True},
        "other_rows": {"calibrate_ranges": {"rows": 40, "seed": 3}},
    }.items():
        artifact, _ = run(tmp_path / name, made, **{"calibrate_ranges": {"rows": 40}, **options})
        files[name] = (artifact.path / "model.onnx").read_bytes()
    assert len(set(files.values())) == len(files)
    assert len(files["small_embeddings"]) < len(files["all"]) < len(files["float_embeddings"])
    assert len(files["all"]) < len(files["head_in_float"])


def test_a_target_without_vnni_reduces_the_range(tmp_path, made):
    files = [
        (run(tmp_path / str(number), made, calibrate_ranges={"rows": 8}, **options)[0].path / "model.onnx").read_bytes()
        for number, options in enumerate(({"target": {"cpu": "avx2"}}, {"reduce_range": True}))
    ]
    assert files[0] == files[1]


def test_a_product_that_does_not_exist_is_an_error(tmp_path, made):
    with pytest.raises(QuantizationError, match="no product is called 'softmax'"):
        run(tmp_path / "out", made, leave_float=["softmax"])


def test_the_data_to_calibrate_on_is_an_edge():
    assert {edge.stage for edge in edges(step(calibrate_ranges={"data": "texts"})).values()} == {"onnx", "texts"}


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ({"percentile": 99.9}, "percentile belongs to `ranges: percentile`"),
        ({"ranges": "percentile", "percentile": 40}, "greater than 50"),
        ({"ranges": "guess"}, "'minmax', 'entropy' or 'percentile'"),
        ({"smooth": 1.0}, "less than 1"),
        ({"smooth": 0}, "greater than 0"),
        ({"calibrate_ranges": {"rows": 1}}, "greater than or equal to 2"),
        ({"per_token": True}, "Extra inputs"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_any_work(scheme, message):
    with pytest.raises(ValidationError, match=message):
        step(**scheme)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        (MergeLora.model_validate({"name": "student", "step": "merge_lora", "delta": "delta"}), True),
        (
            TrainQuantized.model_validate({
                "name": "student", "step": "train_quantized", "model": "teacher", "data": "texts",
                "scheme": {"kind": "static_int8", "ranges": "trained"},
            }),
            False,
        ),
    ],
    ids=["merge_lora", "train_quantized"],
)  # fmt: skip
def test_ranges_that_nobody_trains_are_said_before_any_work(student, said):
    exported = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "student"})
    found = list(step(ranges="trained").check_inputs({"student": student, "onnx": exported}))
    assert [place for place, _ in found] == [("scheme", "ranges")] * said
    assert all("of 'onnx' come from 'student' (merge_lora): train them there, or calibrate" in one for _, one in found)
    assert not list(step(ranges="trained").check_inputs({}))
    assert not list(step().check_inputs({"student": student, "onnx": exported}))


def test_a_set_of_adapters_has_no_data_of_its_own_to_calibrate_on():
    said = {"name": "set", "step": "adapter_set", "deltas": {"news": "delta"}, "scheme": {"kind": "static_int8"}}
    with pytest.raises(ValidationError, match=r"no data to calibrate on: write `scheme: \{kind: dynamic_int8"):
        AdapterSet.model_validate(said)
