"""The configuration as reports keep it: the text of the pipeline file, and behind it what `--set` said."""

from collections.abc import Sequence
from itertools import takewhile

OVERRIDE = "# --set "


def with_overrides(text: str, overrides: Sequence[str]) -> str:
    """The file as it was run."""
    said = "".join(f"{OVERRIDE}{' '.join(override.splitlines())}\n" for override in overrides)
    return f"{text.rstrip()}\n{said}" if said else text


def parted(configuration: str) -> tuple[str, list[str]]:
    """The file's own text, and the overrides in their order."""
    lines = configuration.splitlines(keepends=True)
    count = sum(1 for _ in takewhile(lambda line: line.startswith(OVERRIDE), reversed(lines)))
    own, said = lines[: len(lines) - count], lines[len(lines) - count :]
    return "".join(own), [line.removeprefix(OVERRIDE).rstrip("\n") for line in said]
