"""What `check` says of chains of stages that cannot work; `chains.txt` is the snapshot (UPDATE_SNAPSHOTS=1)."""

from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import read_pipeline
from tests.snapshots import same_as_kept

SNAPSHOT = Path(__file__).with_name("chains.txt")
FILE = """\
name: chains
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}
  - {name: onnx, step: export_onnx, model: teacher, graph: lean}
  - {name: int8, step: quantize, model: onnx, scheme: {kind: dynamic_int8}}
  - name: edge
    step: bundle
    model: int8
    one_text_at_a_time: true
"""
WRONG = {
    "a quantized model quantized again": (
        ("model: onnx", "model: onnx}\n  - {name: int4, step: quantize, model: int8"),
    ),
    "a plain graph for one text at a time": ((", graph: lean", ""),),
    "a plain graph for one text at a time, not quantized": ((", graph: lean", ""), ("model: int8", "model: onnx")),
    "a fused graph, quantized, for one text at a time": (("graph: lean", "fuse: true"),),
    "a stage that reads itself": (("model: onnx", "model: int8"),),
    "a broken export": (("graph: lean", "graph: leen"),),
}


def messages(*replacements: tuple[str, str]) -> str:
    text, file = FILE, Path("chains.yaml")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        read_pipeline(file, environ={})
    return str(error.value)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_chain_that_works_is_no_mistake() -> None:
    Path("chains.yaml").write_text(FILE)
    assert len(read_pipeline(Path("chains.yaml"), environ={}).spec.stages) == 5


def test_a_fused_model_may_be_quantized_where_its_family_allows_it() -> None:
    text = FILE.replace("graph: lean", "fuse: true").replace("    one_text_at_a_time: true\n", "")
    Path("chains.yaml").write_text(text)
    assert len(read_pipeline(Path("chains.yaml"), environ={}).spec.stages) == 5


def test_chains_that_cannot_work_are_said_with_their_place() -> None:
    numbered = "\n".join(f"{number:3} {line}" for number, line in enumerate(FILE.splitlines(), start=1))
    blocks = [f"## {title}\n{messages(*replacements)}" for title, replacements in WRONG.items()]
    opening = f"What `check` says when stages of this file are changed so that they do not fit:\n\n{numbered}"
    assert same_as_kept(SNAPSHOT, "\n\n".join([opening, *blocks]) + "\n")
