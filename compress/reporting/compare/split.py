"""Which split measured a stage, read out of the report: the stage's own `measure`, `--set`, or the pipeline's."""

import re
from functools import lru_cache

import yaml

from compress.reporting.configuration import parted
from compress.reporting.schema import Report, StageEntry

DEFAULT = "test"
SPLIT = re.compile(r"^measure(?P<inner>\.split)?\s*=(?P<value>.+)$")


def split_of(report: Report, stage: StageEntry) -> str:
    """`validation`, `test` or `train`; a variable as it was written, since what was filled in is not in the report."""
    return _split_in(stage.configuration) or _of_pipeline(report.configuration) or DEFAULT


@lru_cache(maxsize=64)
def _of_pipeline(text: str) -> str | None:
    """As the file has it, and as `--set` put it in; None where neither does, or it is no YAML."""
    own, overrides = parted(text)
    split = _split_in(_read(own))
    for override in filter(None, map(SPLIT.match, overrides)):
        value = _read(override["value"])
        split = _split_in({"measure": {"split": value} if override["inner"] else value})
    return split


def _read(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # 2024-02-30 is a text that looks like a date
        return None


def _split_in(said: object) -> str | None:
    measure = said.get("measure") if isinstance(said, dict) else None
    split = measure.get("split") if isinstance(measure, dict) else None
    return split if isinstance(split, str) else None
