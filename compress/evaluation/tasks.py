"""Which figures a task has, which of them is the main one, and which way is better.

Imports no numpy, torch or scikit-learn: `compress check` asks here. Knows names only, not how a figure is computed.

A **drop** is always positive when this model is worse than the other: other - this for figures where higher is better
(accuracy), this - other where lower is better (ece, rmse, size_mb).
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from compress.task import Task

RECALL = "recall."
"""Prefix of the recall of one label: `recall.sport`."""

MODEL_FIGURES = frozenset({"parameters", "size_mb", "latency_ms"})
"""What every model has, whatever its task."""

AGREEMENT = "agreement"
"""Share of rows on which two models give the same answer: it belongs to a comparison, not to a model."""

_FIGURES: dict[Task, frozenset[str]] = {
    "text-classification": frozenset({"accuracy", "f1_macro", "ece", "brier", RECALL}),
    "multi-label-classification": frozenset({"f1_micro", "f1_macro", "subset_accuracy", "ece", "brier", RECALL}),
    "text-regression": frozenset({"rmse", "mae", "r2", "pearson", "spearman"}),
}
_PRIMARY: dict[Task, str] = {
    "text-classification": "accuracy",
    "multi-label-classification": "f1_micro",
    "text-regression": "rmse",  # r2 and the correlations are undefined on constant targets; this one never is
}
_LOWER_IS_BETTER = frozenset({"ece", "brier", "rmse", "mae"}) | MODEL_FIGURES
_NEED_ANOTHER_MODEL = ("max_drop", "max_ratio")


def primary_metric(task: Task) -> str:
    """The figure that tables and charts show first."""
    return _PRIMARY[task]


def higher_is_better(figure: str) -> bool:
    """Which way is up: True for accuracy, False for ece, rmse, size_mb."""
    return figure not in _LOWER_IS_BETTER


def drop_of(figure: str, this: float, other: float) -> float:
    """How much worse `this` is than `other`, in the figure's unit; negative when it is better."""
    return other - this if higher_is_better(figure) else this - other


def needs_another_model(kind: str, figure: str) -> bool:
    """Whether the gate `kind.figure` is about two models and so needs `against`."""
    return kind in _NEED_ANOTHER_MODEL or figure == AGREEMENT


def known_figure(task: Task, kind: str, figure: str, *, labels: Sequence[str] | None = None) -> str | None:
    """What is wrong with a gate on this figure, or None.

    Args:
        task: of the model that is gated.
        kind: `min`, `max`, `max_drop` or `max_ratio`.
        figure: as the user wrote it, `recall.sport` for instance.
        labels: of the data set, once they are known; without them any label is believed.

    Returns:
        One sentence with what would have been right, or None.
    """
    if figure == AGREEMENT:
        return _about_agreement(task, kind)
    if figure.startswith(RECALL) and RECALL in _FIGURES[task]:
        return _about_label(figure.removeprefix(RECALL), labels)
    known = (_FIGURES[task] | MODEL_FIGURES) - {RECALL}
    if figure in known:
        return None
    shown = sorted(known) + ([f"{RECALL}LABEL"] if RECALL in _FIGURES[task] else [])
    if task != "text-regression":
        shown.append(AGREEMENT)
    return f"'{figure}' is not a figure of {task}{_meant(figure, shown)}; there are {', '.join(shown)}."


def _about_agreement(task: Task, kind: str) -> str | None:
    """Agreement is a share of two models' answers: only `min` and `max` make sense of it."""
    if task == "text-regression":
        return (
            "'agreement' is not a figure of text-regression: two numbers are never quite the same; use rmse or pearson."
        )
    if kind in _NEED_ANOTHER_MODEL:
        return f"'agreement' is about two models already and has no {kind}: use min: {{agreement: ...}} with against."
    return None


def _about_label(label: str, labels: Sequence[str] | None) -> str | None:
    """A recall needs a label that the data has."""
    if not label:
        return "'recall.' needs a label: recall.LABEL."
    if labels is None or label in labels:
        return None
    return f"'recall.{label}': there is no label '{label}'{_meant(label, labels)}; there are {', '.join(labels)}."


def _meant(word: str, known: Collection[str]) -> str:
    """A did-you-mean, or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else ""
