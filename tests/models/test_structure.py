"""A pruned model on disk: it comes back as it was, and a structure.json that cannot be right says why."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from compress.errors import ModelError
from compress.models.blocks import blocks
from compress.models.factorised import FactorisedEmbedding
from compress.models.load import load_base, load_checkpoint, load_delta, load_tokenizer
from compress.models.save import save_checkpoint, save_delta
from compress.models.structure import STRUCTURE, LayerShape, Structure, read_structure, say_even_width, structure_of
from compress.tuning.lora import lora, merge
from tests.models.test_blocks import KEPT_HEADS, KEPT_NEURONS, logits
from tests.tiny import FAMILIES, tiny_checkpoint

TASK: Any = "text-classification"


def pruned_model(folder: Path, family: Any) -> Any:
    """Uneven in heads and in neurons."""
    model = load_checkpoint(tiny_checkpoint(folder, family))
    for block, heads, neurons in zip(blocks(model), KEPT_HEADS, KEPT_NEURONS, strict=True):
        block.keep_heads(heads)
        block.keep_neurons(neurons)
    return model


def pruned_folder(folder: Path, family: Any = "bert") -> Path:
    model = pruned_model(folder / "whole", family)
    save_checkpoint(model, load_tokenizer(folder / "whole"), folder / "pruned", max_length=32)
    return folder / "pruned"


def edit(folder: Path, **changes: Any) -> None:
    file = folder / STRUCTURE
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pruned_model_comes_back_as_it_was_saved(family: Any, tmp_path: Path) -> None:
    model = pruned_model(tmp_path / "whole", family)
    save_checkpoint(model, load_tokenizer(tmp_path / "whole"), tmp_path / "pruned", max_length=32)
    again = load_checkpoint(tmp_path / "pruned")
    assert torch.equal(logits(again, family), logits(model, family))
    assert structure_of(again) == structure_of(model)
    assert again.num_parameters() == model.num_parameters()
    assert not again.training


def test_the_file_says_the_widths_of_each_layer(tmp_path: Path) -> None:
    said = json.loads((pruned_folder(tmp_path) / STRUCTURE).read_text())
    assert said == {"version": 1, "layers": [{"heads": 2, "neurons": 40}, {"heads": 1, "neurons": 10}]}


def test_the_file_says_which_position_bias_a_head_reads(tmp_path: Path) -> None:
    layers = json.loads((pruned_folder(tmp_path, "mpnet") / STRUCTURE).read_text())["layers"]
    assert [layer["bias_heads"] for layer in layers] == [[1, 3], [2]]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_config_json_can_say_needs_no_structure(family: Any, tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path / "whole", family))
    assert structure_of(model) is None
    for block in blocks(model):
        block.keep_neurons(range(8, 40))
    assert structure_of(model) == Structure(layers=(LayerShape(heads=4, neurons=32),) * 2)
    say_even_width(model)
    assert structure_of(model) is None
    save_checkpoint(model, load_tokenizer(tmp_path / "whole"), tmp_path / "even", max_length=32)
    assert not (tmp_path / "even" / STRUCTURE).exists()
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "even").eval()
    assert torch.equal(logits(plain, family), logits(model, family))


def test_an_old_structure_goes_when_the_model_has_none(tmp_path: Path) -> None:
    folder = pruned_folder(tmp_path)
    save_checkpoint(load_checkpoint(tmp_path / "whole"), load_tokenizer(folder), folder, max_length=32)
    assert not (folder / STRUCTURE).exists()
    load_checkpoint(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_factorised_embedding_comes_back(family: Any, tmp_path: Path) -> None:
    model = pruned_model(tmp_path / "whole", family)
    rows, width = model.get_input_embeddings().weight.shape
    model.set_input_embeddings(FactorisedEmbedding(rows, 8, width))
    save_checkpoint(model, load_tokenizer(tmp_path / "whole"), tmp_path / "pruned", max_length=32)
    again = load_checkpoint(tmp_path / "pruned")
    assert structure_of(again).embedding_rank == 8  # type: ignore[union-attr]
    assert torch.equal(logits(again, family), logits(model, family))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pruned_model_is_a_base_that_lora_trains_and_merges(family: Any, tmp_path: Path) -> None:
    folder, labels = pruned_folder(tmp_path, family), ("a", "b")
    base = load_base(folder, task=TASK, labels=labels, seed=1)
    widths = structure_of(base)
    delta = lora(base, rank=2, alpha=4, dropout=0.0, seed=0)
    with torch.no_grad():
        for name, weights in delta.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.1)
    delta.eval()
    expected = logits(delta, family)
    save_delta(delta, load_tokenizer(folder), tmp_path / "delta", base="pruned", max_length=32)
    merged = merge(load_delta(tmp_path / "delta", base_folder=folder, task=TASK, labels=labels))
    assert (logits(merged, family) - expected).abs().max() < 1e-5
    assert structure_of(merged) == widths == read_structure(folder)


def test_lost_weights_of_a_pruned_model_are_named(tmp_path: Path) -> None:
    folder = pruned_folder(tmp_path)
    model = load_checkpoint(folder)
    blocks(model)[0].keep_neurons(range(8))
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="is not a whole checkpoint: no fitting weights for bert"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "has version 2, this program reads up to 1: update it"),
        ({"version": "one"}, r"is damaged \(version: "),
        ({"layers": [{"heads": 0, "neurons": 4}]}, r"is damaged \(layers.0.heads: "),
        ({"width": 3}, r"is damaged \(width: "),
        ({"layers": [{"heads": 2, "neurons": 40}]}, "speaks of 1 layers, config.json of 2: they do not belong"),
        ({"layers": [{"heads": 5, "neurons": 40}] * 2}, "gives layer 0 5 heads and 40 neurons, .* room for 4 and 64"),
        ({"layers": [{"heads": 2, "neurons": 99}] * 2}, "gives layer 0 2 heads and 99 neurons"),
        ({"layers": [{"heads": 2, "neurons": 8, "bias_heads": [1, 1]}] * 2}, "gives layer 0 2 heads"),
        ({"embedding_rank": 100}, "gives the word embedding rank 100, which does not fit"),
    ],
)  # fmt: skip
def test_a_structure_that_cannot_be_right_says_why(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = pruned_folder(tmp_path)
    edit(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "7"])
def test_a_structure_that_is_none_is_damaged(text: str, tmp_path: Path) -> None:
    folder = pruned_folder(tmp_path)
    (folder / STRUCTURE).write_text(text)
    with pytest.raises(ModelError, match="is damaged"):
        load_checkpoint(folder)


def test_a_student_of_some_pruned_layers_keeps_their_widths(tmp_path: Path) -> None:
    from compress.distillation.student import student_from_layers

    model = pruned_model(tmp_path / "whole", "mpnet")
    student = student_from_layers(model, [1])
    save_checkpoint(student, load_tokenizer(tmp_path / "whole"), tmp_path / "student", max_length=32)
    again = load_checkpoint(tmp_path / "student")
    assert torch.equal(logits(again, "mpnet"), logits(copy.deepcopy(student), "mpnet"))
    assert [(block.heads, block.neurons, block.bias_heads) for block in blocks(again)] == [(1, 10, (2,))]
