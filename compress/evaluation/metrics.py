"""Every figure of one model's answers, with its 95% interval.

Wilson for shares of rows, a percentile bootstrap for the rest. Knows arrays; not where they came from, nor what is
good enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import MeasurementError
from compress.evaluation.bootstrap import resample
from compress.evaluation.calibration import ReliabilityBin
from compress.evaluation.classification import read_classification
from compress.evaluation.intervals import Estimate, percentile, share
from compress.evaluation.multi_label import read_multi_label
from compress.evaluation.reading import Reading
from compress.evaluation.regression import read_regression
from compress.evaluation.tasks import primary_metric
from compress.task import Task


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on some rows."""

    task: Task
    rows: int
    labels: list[str]
    figures: dict[str, Estimate]
    """By name: accuracy, recall.sport, ece."""
    confusion: list[list[int]] | None = None
    """Rows: the true label; columns: the answer; in the order of `labels`."""
    reliability: list[ReliabilityBin] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Figures that these rows do not have, and why."""

    @property
    def primary(self) -> str:
        """Name of the task's main figure."""
        return primary_metric(self.task)


def measure(
    logits: NDArray[np.floating], targets: NDArray[Any], *, task: Task, labels: Sequence[str], seed: int = 0
) -> Metrics:
    """Every figure of a task.

    Args:
        logits: shape (rows, labels), unnormalised; (rows, 1) for regression.
        targets: shape (rows,), index into `labels`; (rows, labels) of 0 and 1 for multi-label; (rows,) for regression.
        task: decides on the figures.
        labels: their names, in the order of the logits.
        seed: of the bootstrap.

    Raises:
        MeasurementError: no rows, shapes that do not fit, logits that are not finite.
    """
    reading = read(logits, targets, task=task, labels=labels)
    figures = {
        name: share(int(one.right[one.among].sum()), int(one.among.sum())) for name, one in reading.shares.items()
    }
    for name, samples in zip(reading.statistics, resample(list(reading.statistics.values()), seed=seed), strict=True):
        value = reading.values[name]
        low, high = percentile(samples, value)
        figures[name] = Estimate(value, (max(low, 0.0) if value >= 0 and name == "ece" else low, high))
    return Metrics(task, len(targets), list(labels), figures, reading.confusion, reading.reliability, reading.notes)


def read(logits: NDArray[np.floating], targets: NDArray[Any], *, task: Task, labels: Sequence[str]) -> Reading:
    """The answers read for their task; arguments and errors as for `measure`."""
    targets = np.asarray(targets)
    if task == "text-classification":
        if targets.ndim != 1:
            raise MeasurementError(f"targets of shape {targets.shape}: text-classification needs one label a row.")
        return read_classification(logits, targets, labels)
    if task == "multi-label-classification":
        return read_multi_label(logits, targets, labels)
    return read_regression(logits, targets)
