"""The folder in Optimum's own loader, in an environment of its own: optimum-onnx needs an older transformers.

The environment holds the packages that differ; torch, onnxruntime and the rest are read from this one.
"""

import json
import os
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from tests.tiny import FAMILIES, tiny_onnx

OWN = ("optimum-onnx==0.1.0", "optimum==2.1.0", "transformers==4.57.6", "huggingface-hub==0.36.2", "tokenizers==0.22.2")
LOADER = """
import json, sys, torch
from optimum.onnxruntime import ORTModelForSequenceClassification
answers = []
for folder, batch in json.load(sys.stdin):
    model = ORTModelForSequenceClassification.from_pretrained(folder)
    logits = model(**{name: torch.tensor(rows) for name, rows in batch.items()}).logits
    answers.append({"logits": logits.tolist(), "labels": [model.config.id2label[index] for index in range(3)]})
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("optimum")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    made = folder / "bin" / "python"
    installed = subprocess.run(
        [made, "-m", "pip", "install", "--quiet", "--no-deps", *OWN], capture_output=True, text=True
    )
    if installed.returncode:
        assert "CI" not in os.environ, installed.stderr
        pytest.skip(f"optimum-onnx cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "zz_this_environment.pth").write_text(sysconfig.get_path("purelib"))  # after its own packages
    return made


@pytest.mark.slow
def test_optimum_loads_the_folder_and_answers_as_we_do(tmp_path, python):
    asked, wanted = [], []
    for family in FAMILIES:
        folder = tiny_onnx(tmp_path / family, family)
        batch = TextEncoder.load(folder, max_length=32).encode(["goal match", "the bank said trade"])
        asked.append((str(folder), {name: array.tolist() for name, array in batch.items()}))
        wanted.append(open_onnx(folder, threads=1).predict(batch)["logits"])
    loaded = subprocess.run([python, "-c", LOADER], input=json.dumps(asked), capture_output=True, text=True, check=True)
    for answer, logits in zip(json.loads(loaded.stdout.splitlines()[-1]), wanted, strict=True):
        np.testing.assert_allclose(answer["logits"], logits, atol=1e-5)
        assert answer["labels"] == ["class_0", "class_1", "class_2"]
