"""The one script of pages that react, and the policy that lets exactly this script run and nothing be asked for."""

import base64
import hashlib
from functools import cache

from markupsafe import Markup

from compress.reporting.template_environment import TEMPLATES


@cache
def script() -> Markup:
    """`plane.js`; it stands in the page between tags without a change, since the policy holds its digest."""
    text = (TEMPLATES / "plane.js").read_text(encoding="utf-8")
    assert "</" not in text
    return Markup(text)  # noqa: S704  our own file


@cache
def policy() -> str:
    """The content security policy of a page with `script`."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
