"""What it costs to merge a delta onto the full-precision base when it was trained on a quantized one.

The delta has learned to answer beside the base's rounding errors, and the full-precision base does not make them. So
no parity can hold between the two: how often both answer alike, and how much worse the merged model is, is counted on
real rows. Nothing fails here. What is exact is proved elsewhere: merged answers as unmerged on the *same* base. What
loss is too much is for the user to say, by `gates: {against: DELTA, max_drop: …}`, judged on a whole split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from compress.evaluation.tasks import primary_metric
from compress.progress import Progress
from compress.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def loss_of_merging(
    merged: "NDArray[np.float32]",
    as_trained: "NDArray[np.float32]",
    targets: "NDArray[Any]",
    *,
    task: Task,
    labels: Sequence[str],
) -> dict[str, Any]:
    """For the manifest: rows, agreement (None where answers are numbers), drops by figure, largest difference.

    Args:
        merged: logits on the full-precision base, (rows, classes).
        as_trained: logits on the quantized base, of the same rows.
        targets: what is right, as `data.rows.targets_of` gives it.
        task: of the data.
        labels: of the data.
    """
    from compress.evaluation.paired import compare

    paired = compare(merged, as_trained, targets, task=task, labels=labels)
    return {
        "rows": paired.rows, "agreement": None if paired.agreement is None else asdict(paired.agreement),
        "drops": {name: asdict(drop) for name, drop in paired.drops.items()},
        "max_difference": float(f"{abs(merged - as_trained).max():.2g}"),
    }  # fmt: skip


def tell_loss(found: Mapping[str, Any], *, task: Task, progress: Progress, name: str) -> None:
    """Say it; as a warning where the merged model is worse beyond chance.

    Args:
        found: what `loss_of_merging` gave.
        task: of the data.
        progress: told.
        name: of the stage.
    """
    figure = primary_metric(task)
    drop, agreement = found["drops"][figure], found["agreement"]
    low, high = drop["interval"]
    alike = "" if agreement is None else f", {agreement['value']:.1%} of them get the same answer"
    said = (
        f"{name}: trained on a quantized base, merged onto the full-precision one: on {found['rows']} rows {figure} is "
        f"worse by {drop['value']:.4f} (95%: {low:.4f} to {high:.4f}){alike}."
    )
    if low > 0:
        progress.warn(f"{said} That is no chance: `double_quantization: false` or more epochs may help.")
    else:
        progress.say(said)
