"""The importance of layers, against models that really lack them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compress.distillation.student import student_from_layers
from compress.errors import DataError, ModelError
from compress.models.layers import encoder_layers
from compress.models.load import load_checkpoint, load_tokenizer
from compress.progress import Silent
from compress.training.labelled_rows import LabelledRows, labelled_rows
from compress.training.layer_importance import layer_figures, layers_to_keep
from compress.training.losses import inputs_of
from compress.training.validation import rank_of, validation_figures
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_dataset_folder

TASK: Any = "text-classification"
SAID: Any = {"task": TASK, "progress": Silent(), "description": ""}


def made(folder: Path, family: Any = "bert", layers: int = 3) -> tuple[Any, LabelledRows]:
    checkpoint = tiny_checkpoint(folder / "model", family, layers=layers, spread=0.4)
    data = tiny_dataset_folder(folder / "data", rows=90)
    rows = labelled_rows(data, "validation", load_tokenizer(checkpoint), max_length=32, rows=30)
    return load_checkpoint(checkpoint), rows


def figures(model: Any, rows: LabelledRows) -> dict[str, float]:
    (batch,) = rows.batches(len(rows))
    with torch.no_grad():
        logits = model(**inputs_of(batch)).logits.numpy()
    return validation_figures(logits, batch["labels"].numpy(), task=TASK)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_figures_are_those_of_a_model_without_the_layer(family: Any, tmp_path: Path) -> None:
    model, rows = made(tmp_path, family)
    found = layer_figures(model, rows, **SAID)
    assert list(found) == [0, 1, 2]
    for layer, one in found.items():
        really = student_from_layers(model, [other for other in range(3) if other != layer])
        expected = figures(really, rows)
        assert one["accuracy"] == expected["accuracy"]
        assert one["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_the_model_stays_as_it_was(tmp_path: Path) -> None:
    model, rows = made(tmp_path)
    stack, before = encoder_layers(model), figures(model, rows)
    layers_to_keep(model, rows, keep=1, **SAID)
    assert encoder_layers(model) is stack
    assert figures(model, rows) == before


@pytest.mark.parametrize("idle", [0, 1, 2])
def test_a_layer_that_does_nothing_goes_first(idle: int, tmp_path: Path) -> None:
    model, rows = made(tmp_path)
    layer = encoder_layers(model)[idle]
    with torch.no_grad():
        for linear in (layer.attention.output.dense, layer.output.dense):
            linear.weight.zero_()
            linear.bias.zero_()
    rows = answered_by(model, rows)  # so the whole model is right everywhere, and what changes it is worse
    found = layer_figures(model, rows, **SAID)
    chosen = layers_to_keep(model, rows, keep=2, **SAID)
    assert found[idle]["accuracy"] == 1.0
    assert all(one["accuracy"] < 1.0 for other, one in found.items() if other != idle)
    assert chosen.removed == (idle,)
    assert chosen.figures["all"] == pytest.approx(figures(model, rows), rel=1e-5)
    assert chosen.figures[str(idle)] == found[idle]


def answered_by(model: Any, rows: LabelledRows) -> LabelledRows:
    """The same rows with the model's answers as their labels."""
    (batch,) = rows.batches(len(rows))
    with torch.no_grad():
        answers = model(**inputs_of(batch)).logits.argmax(dim=-1)
    labels = np.empty(len(rows), dtype=np.int64)
    labels[batch["row"].numpy()] = answers.numpy()
    tokens = rows.tokens.remove_columns("labels").add_column("labels", labels.tolist())
    return LabelledRows(tokens, rows.collate)


def test_greedy_measures_again_after_each_layer(tmp_path: Path) -> None:
    model, rows = made(tmp_path, layers=4)
    chosen = layers_to_keep(model, rows, keep=2, **SAID)
    first = layer_figures(model, rows, **SAID)
    one = max(first, key=lambda layer: rank_of(first[layer], task=TASK))
    then = layer_figures(model, rows, removed=[one], **SAID)
    assert one not in then
    two = max(then, key=lambda layer: rank_of(then[layer], task=TASK))
    assert chosen.removed == (one, two)
    assert chosen.kept == tuple(layer for layer in range(4) if layer not in (one, two))


def test_without_greed_the_first_measurement_decides(tmp_path: Path) -> None:
    model, rows = made(tmp_path, layers=4)
    first = layer_figures(model, rows, **SAID)
    least = sorted(first, key=lambda layer: rank_of(first[layer], task=TASK), reverse=True)[:2]
    chosen = layers_to_keep(model, rows, keep=2, greedy=False, **SAID)
    assert chosen.removed == tuple(least)


@pytest.mark.parametrize("keep", [0, 3, 4])
def test_no_layer_and_every_layer_are_refused(keep: int, tmp_path: Path) -> None:
    model, rows = made(tmp_path)
    with pytest.raises(ModelError, match=f"keep: {keep} of 3 layers leaves nothing to take away: keep 1 to 2"):
        layers_to_keep(model, rows, keep=keep, **SAID)


def test_rows_without_labels_are_refused(tmp_path: Path) -> None:
    data = tiny_dataset_folder(tmp_path / "data", labelled=False)
    tokenizer = load_tokenizer(tiny_checkpoint(tmp_path / "model"))
    with pytest.raises(DataError, match="the data set has no labels"):
        labelled_rows(data, "validation", tokenizer, max_length=32, rows=30)
    with pytest.raises(DataError, match="has no 'dev' split"):
        labelled_rows(data, "dev", tokenizer, max_length=32, rows=30)
