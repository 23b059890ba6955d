"""Importance of heads and neurons against finite differences, and against norms taken by hand."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

from compress.models.blocks import blocks
from compress.objectives.hard_labels import hard_labels_loss
from compress.progress import Silent
from compress.pruning.importance import Scores, magnitude_scores, taylor_scores
from compress.training.labelled_rows import LabelledRows
from compress.training.losses import inputs_of
from compress.training.tokenise import collator, tokenise
from tests.models.test_blocks import model_of
from tests.tiny import FAMILIES, tiny_texts, tiny_tokenizer

ROWS = 5
STEP = 1e-4


def rows_of(family: Any, task: Any = "text-classification") -> LabelledRows:
    texts, labels = tiny_texts(ROWS, 2)
    targets = {
        "text-classification": labels,
        "multi-label-classification": [[float(one == 0), 1.0] for one in labels],
        "text-regression": [float(one) for one in labels],
    }[task]
    tokenizer: Any = tiny_tokenizer(family)
    return LabelledRows(
        tokenise(datasets.Dataset.from_dict({"text": texts, "label": targets}), tokenizer, max_length=32),
        collator(tokenizer),
    )


def scores_of(model: Any, rows: LabelledRows, *, batch_size: int = 2, task: Any = "text-classification") -> Scores:
    return taylor_scores(model, rows, task=task, batch_size=batch_size, progress=Silent(), description="")


def slope(model: Any, linear: Any, columns: slice, batch: Any, task: Any) -> float:
    """dL/dgate of one row by a central difference: the gate scales the columns that read the head or neuron."""
    losses = []
    whole = linear.weight.detach().clone()
    with torch.no_grad():
        for gate in (1 + STEP, 1 - STEP):
            linear.weight[:, columns] = whole[:, columns] * gate
            losses.append(float(hard_labels_loss_double(model, batch, task)))
            linear.weight.copy_(whole)
    return (losses[0] - losses[1]) / (2 * STEP)


def hard_labels_loss_double(model: Any, batch: Any, task: Any) -> torch.Tensor:
    """In float64: the differences are small."""
    logits = model(**inputs_of(batch)).logits
    if task == "text-classification":
        return torch.nn.functional.cross_entropy(logits, batch["labels"])
    return hard_labels_loss(logits, batch["labels"], task=task).double()


@pytest.mark.parametrize("family", FAMILIES)
def test_taylor_is_the_sum_over_rows_of_the_absolute_slope_of_a_gate(family: Any) -> None:
    model, rows = model_of(family), rows_of(family)
    scores = scores_of(model, rows)
    exact = model.double()
    for layer, block in enumerate(blocks(exact)):
        for head in (0, 3):
            columns = slice(head * block.head_size, (head + 1) * block.head_size)
            expected = sum(
                abs(slope(exact, block.output, columns, one, "text-classification")) for one in rows.batches(1)
            )
            assert float(scores.heads[layer][head]) == pytest.approx(expected, rel=2e-3, abs=1e-6)
        for neuron in (0, 63):
            columns = slice(neuron, neuron + 1)
            expected = sum(
                abs(slope(exact, block.narrow, columns, one, "text-classification")) for one in rows.batches(1)
            )
            assert float(scores.neurons[layer][neuron]) == pytest.approx(expected, rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
def test_taylor_does_not_depend_on_the_batch(task: Any) -> None:
    import transformers

    from tests.tiny import tiny_config

    config = tiny_config("bert")
    config.num_labels = 1 if task == "text-regression" else 2
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    rows = rows_of("bert", task)
    one, all_at_once = (scores_of(model, rows, batch_size=size, task=task) for size in (1, ROWS))
    for alone, together in zip([*one.heads, *one.neurons], [*all_at_once.heads, *all_at_once.neurons], strict=True):
        assert torch.allclose(alone, together, rtol=1e-3, atol=1e-7)
        assert alone.sum() > 0


def test_measuring_leaves_the_model_as_it_was() -> None:
    model, rows = model_of("mpnet"), rows_of("mpnet")
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    first, second = scores_of(model, rows), scores_of(model, rows)
    assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
    assert all(weights.grad is None for weights in model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(first.neurons, second.neurons, strict=True))


def test_a_head_without_output_has_no_importance() -> None:
    model = model_of("bert")
    block = blocks(model)[0]
    with torch.no_grad():
        block.output.weight[:, 8:16] = 0
    heads = scores_of(model, rows_of("bert")).heads[0]
    assert heads[1] == 0
    assert (heads[[0, 2, 3]] > 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_magnitude_is_the_norm_of_all_that_would_go(family: Any) -> None:
    model = model_of(family).requires_grad_(False)
    scores = magnitude_scores(model)
    block = blocks(model)[1]
    into = [
        one[8:16].flatten() for linear in (block.query, block.key, block.value) for one in (linear.weight, linear.bias)
    ]
    head = torch.cat([*into, block.output.weight[:, 8:16].flatten()])
    assert float(scores.heads[1][1]) == pytest.approx(float(head.double().norm()), rel=1e-6)
    neuron = torch.cat([block.widen.weight[7], block.widen.bias[7:8], block.narrow.weight[:, 7]])
    assert float(scores.neurons[1][7]) == pytest.approx(float(neuron.double().norm()), rel=1e-6)


def test_rows_come_spread_over_the_split_and_longest_first(tmp_path: Path) -> None:
    from compress.training.labelled_rows import labelled_rows
    from tests.tiny import tiny_dataset_folder

    data = tiny_dataset_folder(tmp_path, rows=40)
    rows = labelled_rows(data, "train", tiny_tokenizer(), max_length=16, rows=5)  # type: ignore[arg-type]
    assert len(rows) == 5
    lengths = [batch["input_ids"].shape[1] for batch in rows.batches(2)]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) <= 16
