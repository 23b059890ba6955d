"""What a sensitivity stage found, read out of a report; the page and the terminal draw the same parts."""

from typing import Any

from pydantic import ValidationError

from compress.chain.sensitivity import SensitivityReport
from compress.reporting.schema import StageEntry

STEP = "sensitivity"


def sensitivity_of(stage: StageEntry) -> SensitivityReport | None:
    """What the stage measured; None for other stages, and for one that made nothing."""
    if stage.step != STEP or not stage.details:
        return None
    try:
        return SensitivityReport.model_validate(stage.details)
    except ValidationError:  # written by another version: its figures stay in the list of all
        return None


def other_details(stage: StageEntry) -> dict[str, Any]:
    """What the stage found, without the parts that stand in a table of their own."""
    if sensitivity_of(stage) is None:
        return stage.details
    return {name: value for name, value in stage.details.items() if name != "parts"}
