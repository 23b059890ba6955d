"""Which split measured a stage, read out of the report: the stage's own `measure`, `--set`, or the pipeline's."""

import re
from functools import lru_cache

import yaml

from compress.reporting.schema import Report, StageEntry

DEFAULT = "test"
OVERRIDE = re.compile(r"^# --set measure\.split=(\w+)\s*$", re.MULTILINE)


def split_of(report: Report, stage: StageEntry) -> str:
    """`validation`, `test` or `train`."""
    own = _split_in(stage.configuration)
    if own:
        return own
    overrides = OVERRIDE.findall(report.configuration)
    return str(overrides[-1]) if overrides else _written(report.configuration) or DEFAULT


@lru_cache(maxsize=64)
def _written(text: str) -> str | None:
    """As the pipeline file has it; None where it does not, or is no YAML."""
    try:
        return _split_in(yaml.safe_load(text))
    except yaml.YAMLError:
        return None


def _split_in(said: object) -> str | None:
    measure = said.get("measure") if isinstance(said, dict) else None
    split = measure.get("split") if isinstance(measure, dict) else None
    return split if isinstance(split, str) else None
