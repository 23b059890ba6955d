import json

import pytest
from pydantic import ValidationError

from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.errors import StepError
from compress.steps.quantize import Quantize
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_onnx

BLOCKS = {"kind": "weight_only", "bits": 4}
STORED = {"kind": "dynamic_int8", "per_token": True}


def step(**scheme):
    return Quantize.model_validate({"name": "int4", "step": "quantize", "model": "onnx", "scheme": scheme})


def in_blocks(**said):
    return step(**BLOCKS, **said)


def stored(**said):
    return step(**STORED, weights={"bits": 4, **said})


def made(folder, it, *, rows=60):
    artifacts = {
        "onnx": tiny_artifact("OnnxModel", tiny_onnx(folder / "onnx")),
        "texts": tiny_artifact("Dataset", tiny_dataset_folder(folder / "texts", rows=rows)),
    }
    artifact = it.run(TinyWorkspace(folder / "out", artifacts))
    return (artifact.path / "model.onnx").read_bytes(), ModelManifest.read(artifact.path).details


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_each_algorithm_makes_another_model_and_gptq_says_what_it_saw(tmp_path, of):
    ranges = {"data": "texts", "rows": 20}
    found = {
        "rtn": made(tmp_path / "rtn", of()),
        "hqq": made(tmp_path / "hqq", of(algorithm="hqq")),
        "gptq": made(tmp_path / "gptq", of(algorithm="gptq", calibrate_ranges=ranges)),
        "of others": made(tmp_path / "others", of(algorithm="gptq", calibrate_ranges={**ranges, "seed": 1})),
    }
    assert len({model for model, _ in found.values()}) == len(found)
    sizes = {name: len(model) for name, (model, _) in found.items()}
    assert sizes["rtn"] == sizes["gptq"] == sizes["of others"] < sizes["hqq"], "hqq has zero points"
    rows = found["gptq"][1]["calibration"]
    assert len(rows["rows"]) == 20
    assert rows["data"] == Digests().folder(tmp_path / "gptq" / "texts")
    assert found["of others"][1]["calibration"]["rows"] != rows["rows"]
    assert "calibration" not in found["rtn"][1].keys() | found["hqq"][1].keys()


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_gptq_takes_the_texts_that_the_model_was_trained_on_unless_others_are_named(tmp_path, of):
    said = made(tmp_path / "said", of(algorithm="gptq", calibrate_ranges={"data": "texts", "rows": 128, "seed": 17}))
    by_default = made(tmp_path / "default", of(algorithm="gptq"))
    assert by_default[0] == said[0]
    assert by_default[1]["calibration"] == said[1]["calibration"]


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_gptq_with_one_row_is_refused(tmp_path, of):
    with pytest.raises(StepError, match="calibrate_ranges"):
        made(tmp_path, of(algorithm="gptq"), rows=1)


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
@pytest.mark.parametrize("algorithm", ["rtn", "hqq"])
def test_texts_that_nobody_would_read_are_refused(of, algorithm):
    with pytest.raises(ValidationError, match=f"belongs to `algorithm: gptq`; {algorithm} looks at the weights only"):
        of(algorithm=algorithm, calibrate_ranges={"rows": 20})


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_another_algorithm_is_unknown(of):
    with pytest.raises(ValidationError, match="'rtn', 'hqq' or 'gptq'"):
        of(algorithm="awq")


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_only_gptq_looks_at_texts_and_the_stage_that_it_names_is_an_edge(of):
    assert [of(**said).scheme.calibrates for said in ({}, {"algorithm": "hqq"}, {"algorithm": "gptq"})] == [
        False, False, True,
    ]  # fmt: skip
    named = of(algorithm="gptq", calibrate_ranges={"data": "texts"})
    assert sorted(edge.stage for edge in edges(named).values()) == ["onnx", "texts"]


@pytest.mark.parametrize("of", [in_blocks, stored], ids=["weight_only", "dynamic_int8"])
def test_what_was_made_before_there_were_algorithms_is_found_again(of):
    """The key of a configuration that does not use them is the one that it always had."""
    said = [
        said_by(it, seed=17, inputs={"onnx": "0", "texts": "1"}, digests=Digests())
        for it in (of(), of(algorithm="rtn"), of(algorithm="hqq"), of(algorithm="gptq"))
    ]
    assert "algorithm" not in json.dumps(said[0])
    assert "calibrate_ranges" not in json.dumps(said[0])
    keys = [key_of(one) for one in said]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
