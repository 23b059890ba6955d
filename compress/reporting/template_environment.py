"""Jinja as all templates of this room need it: strict, without stray blank lines, with one rule for numbers.

Knows neither page nor card: each adds its own words.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from compress.reporting import numbers

TEMPLATES = Path(__file__).parent / "templates"


def template_environment(*, autoescape: bool, beside: Path | None = None) -> Environment:
    """A new environment with the filters that write numbers.

    Args:
        autoescape: for HTML; Markdown would show the escapes.
        beside: a folder with more templates, that of another room.
    """
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, *([beside] if beside else [])]),
        autoescape=autoescape,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=numbers.number,
        given=numbers.given,
        interval=numbers.interval,
        times=numbers.times,
        duration=numbers.duration,
        moment=numbers.moment,
    )
    return made
