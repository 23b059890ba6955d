"""`MODEL_CARD.md` of a published set of adapters: what it is, how good each adapter is, and how to use it.

Reads the manifests of the set and of its data, where they are; figures come from the report alone.
"""

from pathlib import Path

from compress.adapters.set_file import SET_FILE, SetFile
from compress.chain.manifest import DatasetManifest, SetManifest
from compress.reporting.model_card import MOST_LABELS, PIPELINE_TAG, card_environment, manifest_of
from compress.reporting.parts import part_rows
from compress.reporting.schema import Report, StageEntry
from compress.reporting.summary import ancestors_of


def set_card(report: Report, stage: StageEntry) -> str:
    """The card of the set that `stage` made, as Markdown with the front matter that model hubs read."""
    ancestors = ancestors_of(report, stage)
    manifest = manifest_of(stage, SetManifest)
    adapters = manifest.adapters if manifest else {}
    return (
        card_environment()
        .get_template("set_card.md.j2")
        .render(
            report=report,
            stage=stage,
            manifest=manifest,
            set_file=_set_file(stage),
            rows=part_rows(stage),
            tasks={name: facts.task for name, facts in adapters.items()},
            lengths={name: facts.max_length for name, facts in adapters.items()},
            data=_data(ancestors),
            ancestors=ancestors,
            verdicts=[(one, verdict) for one in ancestors for verdict in one.verdicts],
            tag=PIPELINE_TAG,
            most_labels=MOST_LABELS,
        )
        .strip()
        + "\n"
    )


def _set_file(stage: StageEntry) -> SetFile | None:
    """The set's description, if it is still there."""
    folder = Path(stage.artifact.path) if stage.artifact else None
    return SetFile.read(folder) if folder is not None and (folder / SET_FILE).is_file() else None


def _data(ancestors: list[StageEntry]) -> dict[str, DatasetManifest]:
    """What every adapter was trained on, by stage."""
    made = [one for one in ancestors if one.artifact is not None and one.artifact.kind == "Dataset"]
    found = {one.name: manifest_of(one, DatasetManifest) for one in made}
    return {name: manifest for name, manifest in found.items() if manifest is not None}
