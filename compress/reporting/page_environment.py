"""Jinja as every HTML page needs it: escaped, with the words that all of them write, and the script for charts.

Knows no page: each adds its own words, and its templates where they lie in another room.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from compress.reporting.scripted import policy, script
from compress.reporting.template_environment import template_environment

BREAKABLE = re.compile(r"(?<=[_./-])")


def page_environment(*, beside: Path | None = None) -> Environment:
    """A new environment; `beside`: a folder with more templates."""
    made = template_environment(autoescape=True, beside=beside)
    made.filters.update(words=words, soft=soft, entries=entries)
    made.globals.update(policy=policy, script=script)
    return made


def words(name: str) -> str:
    """A figure's or field's name for people: `f1_macro` as `f1 macro`."""
    return name.replace("_", " ")


def soft(name: str) -> Markup:
    """A name that may break after `_`, `.`, `-` and `/`, escaped."""
    return Markup("<wbr>").join(escape(part) for part in BREAKABLE.split(name))


def entries(value: Any) -> list[tuple[str | None, Any]]:
    """What a nested value holds: names and values of a mapping, values alone of a list."""
    if isinstance(value, dict):
        return [(str(name), inner) for name, inner in value.items()]
    return [(None, inner) for inner in value]
