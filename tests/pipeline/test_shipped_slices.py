"""Every shipped pipeline, run to its bundle or set on a slice of its data: a few steps of training, no gate."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from compress import load_bundle
from compress.adapters.set_folder import AdapterSetFolder
from compress.inference.adapter_predictor import open_adapter
from compress.inference.text_encoder import TextEncoder
from compress.pipeline.run import run_file
from tests.tiny import tiny_base

PIPELINES = Path(__file__).parents[2] / "pipelines"
ROWS = 160
TRAINS = {"finetune", "finetune_lora", "distill", "train_quantized"}
SETS = ["adapters"]
"""Pipelines that end in a set of adapters."""
BUNDLES = [file for file in sorted(PIPELINES.glob("*.yaml")) if file.stem not in SETS]
TEXTS = ["Shares fell sharply on Monday.", "The match ended in a draw after extra time, said the coach.", "A film."]


def overrides(file: Path) -> list[str]:
    """Few rows and steps, and limits that everything keeps."""
    said = ["measure.latency=none"]
    for stage in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"]:
        name = stage["name"]
        if stage["step"] == "load_data":
            said.append(f"{name}.rows={ROWS}")
        if stage["step"] in TRAINS:
            said += [f"{name}.training.steps=3", f"{name}.training.epochs=null"]
        if "gates" in stage:
            said.append(f"{name}.gates=null")
        if "MPNET" in stage.get("base", ""):
            said.append(f"{name}.max_length=32")  # the tiny one reads no more than 64 tokens
    return said


@pytest.mark.slow
@pytest.mark.parametrize("file", BUNDLES, ids=lambda file: file.stem)
def test_a_shipped_pipeline_runs_to_its_bundle(tmp_path, monkeypatch, file):
    monkeypatch.setenv("COMPRESS_MPNET", str(tiny_base(tmp_path / "mpnet", "mpnet")))  # the real one is 438 MB
    report = run_file(file, overrides=overrides(file), store=tmp_path / "store", runs=tmp_path / "runs")
    assert [stage.status for stage in report.stages] == ["ran"] * len(report.stages)
    bundle = load_bundle(report.published)
    together = bundle.predict(TEXTS)
    alone = [bundle.predict([text])[0] for text in TEXTS]
    assert len({answer.label for answer in together} - set(bundle.labels)) == 0
    if file.stem.endswith(("tiny", "int4", "mpnet_edge")):  # the others quantize per batch
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(list(one.probabilities.values()), list(other.probabilities.values()), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_shipped_pipeline_runs_to_its_set(tmp_path, name):
    file = PIPELINES / f"{name}.yaml"
    report = run_file(file, overrides=overrides(file), store=tmp_path / "store", runs=tmp_path / "runs")
    assert [stage.status for stage in report.stages] == ["ran"] * len(report.stages)
    made = report.stages[-1]
    served = AdapterSetFolder(Path(report.published_set))
    assert served.names() == tuple(sorted(made.measures.parts))
    assert served.set_file.base.scheme["per_token"] is True
    for adapter in served.names():
        predictor = open_adapter(served.path, adapter, threads=1)
        encoder = TextEncoder.load(served.path / "base", max_length=32)
        together = predictor.predict(encoder.encode(TEXTS))["logits"]
        alone = [predictor.predict(encoder.encode([text]))["logits"][0] for text in TEXTS]
        np.testing.assert_array_equal(together, alone)
