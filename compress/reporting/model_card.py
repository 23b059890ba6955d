"""`MODEL_CARD.md`: what a published bundle is, how good, against what, and how to use it.

Reads the manifests beside the model and its data, where they are; figures come from the report alone.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment

from compress.chain.manifest import MANIFEST, DatasetManifest, Manifest, ModelManifest
from compress.reporting.outcomes import OUTCOME_WORDS
from compress.reporting.schema import ComparisonEntry, LatencyEntry, Report, StageEntry
from compress.reporting.summary import ancestors_of, comparison_with, stage_named
from compress.reporting.template_environment import template_environment

MARKDOWN = re.compile(r"([\\`*\[\]<>|~]|\b_|_\b|(?<=\W)_)")
PIPELINE_TAG = "text-classification"
MOST_LABELS = 40

ManifestT = TypeVar("ManifestT", bound=Manifest)


def model_card(report: Report, stage: StageEntry) -> str:
    """The card of the bundle that `stage` made, as Markdown with the front matter that model hubs read."""
    ancestors = ancestors_of(report, stage)
    data = next((one for one in ancestors if one.artifact is not None and one.artifact.kind == "Dataset"), None)
    against = report.reference if report.reference != stage.name else None
    return (
        card_environment()
        .get_template("model_card.md.j2")
        .render(
            report=report,
            stage=stage,
            manifest=manifest_of(stage, ModelManifest),
            data=data,
            data_manifest=manifest_of(data, DatasetManifest) if data else None,
            reference=stage_named(report, against),
            comparison=comparison_with(stage, against),
            ancestors=ancestors,
            verdicts=[(one, verdict) for one in ancestors for verdict in one.verdicts],
            tag=PIPELINE_TAG,
            most_labels=MOST_LABELS,
        )
        .strip()
        + "\n"
    )


def plain(value: Any) -> str:
    """Text that Markdown leaves as it is, on one line."""
    return MARKDOWN.sub(r"\\\1", " ".join(str(value).split()))


def quoted(value: str) -> str:
    """A YAML string for the front matter."""
    return "'" + " ".join(value.split()).replace("'", "''") + "'"


def ratio_at(comparison: ComparisonEntry | None, latency: LatencyEntry) -> float | None:
    """How much faster than the reference at this shape, where that was taken in turns."""
    for one in comparison.latency_ratios if comparison else []:
        if (one.get("batch_size"), one.get("length")) == (latency.batch_size, latency.length) and one.get("value"):
            return 1 / float(one["value"])
    return None


def manifest_of(stage: StageEntry, kind: type[ManifestT]) -> ManifestT | None:
    """The manifest that the stage wrote, if it is still there."""
    if stage.artifact is None or not (Path(stage.artifact.path) / MANIFEST).is_file():
        return None
    return kind.read(Path(stage.artifact.path))


@cache
def card_environment() -> Environment:
    """Markdown, so HTML escaping would show; `plain` escapes what Markdown reads."""
    made = template_environment(autoescape=False)
    made.filters.update(plain=plain, quoted=quoted)
    made.globals.update(ratio_at=ratio_at, outcome_words=OUTCOME_WORDS)
    return made
