import subprocess
import sys

import pytest

from compress.evaluation.tasks import (
    drop_of,
    higher_is_better,
    known_figure,
    needs_another_model,
    primary_metric,
)
from compress.task import Task

TASKS: tuple[Task, ...] = ("text-classification", "multi-label-classification", "text-regression")


@pytest.mark.parametrize("task", TASKS)
def test_the_primary_figure_is_one_of_the_task(task: Task) -> None:
    assert known_figure(task, "min", primary_metric(task)) is None


@pytest.mark.parametrize("figure", ["accuracy", "f1_macro", "recall.sport", "size_mb", "parameters", "latency_ms"])
def test_known_figures_are_accepted(figure: str) -> None:
    assert known_figure("text-classification", "max", figure) is None


def test_a_misspelt_figure_gets_a_suggestion() -> None:
    assert known_figure("text-classification", "max_drop", "acuracy") == (
        "'acuracy' is not a figure of text-classification, did you mean 'accuracy'?; there are accuracy, brier, ece, "
        "f1_macro, latency_ms, parameters, size_mb, recall.LABEL, agreement."
    )


def test_a_figure_of_another_task_is_refused() -> None:
    assert "is not a figure of text-regression" in str(known_figure("text-regression", "min", "accuracy"))
    assert "is not a figure of text-regression" in str(known_figure("text-regression", "min", "recall.a"))


def test_agreement_is_no_drop_and_no_figure_of_numbers() -> None:
    assert known_figure("text-classification", "min", "agreement") is None
    assert "has no max_drop" in str(known_figure("text-classification", "max_drop", "agreement"))
    assert "two numbers" in str(known_figure("text-regression", "min", "agreement"))


def test_a_recall_needs_a_label_that_the_data_has() -> None:
    assert known_figure("text-classification", "min", "recall.") == "'recall.' needs a label: recall.LABEL."
    message = known_figure("text-classification", "min", "recall.sprot", labels=["sport", "tech"])
    assert message == "'recall.sprot': there is no label 'sprot', did you mean 'sport'?; there are sport, tech."


def test_a_positive_drop_is_always_worse() -> None:
    assert drop_of("accuracy", 0.75, 1.0) == 0.25
    assert drop_of("ece", 0.5, 0.25) == 0.25
    assert drop_of("size_mb", 90.0, 20.0) == 70.0
    assert higher_is_better("recall.sport")


def test_which_gates_are_about_two_models() -> None:
    assert needs_another_model("max_drop", "accuracy")
    assert needs_another_model("min", "agreement")
    assert not needs_another_model("min", "accuracy")


def test_check_can_ask_without_torch_or_sklearn() -> None:
    code = (
        "import sys, compress.evaluation.tasks, compress.evaluation.power;"
        "assert not {'torch', 'sklearn', 'scipy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
