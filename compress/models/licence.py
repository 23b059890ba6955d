"""The licence that a model's card names; torch-free."""

import re
from pathlib import Path

FRONT_MATTER = re.compile(r"\A\s*---\n(.*?)\n---", re.DOTALL)
LICENCE = re.compile(r"^licen[sc]e:[ \t]*(?:\n[ \t]*-[ \t]*)?([^\n#]+)", re.MULTILINE)


def licence_of(folder: Path) -> str | None:
    """`license:` of the front matter of README.md; None without a card or when it does not say."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    front = FRONT_MATTER.match(card.replace("\r\n", "\n"))
    found = LICENCE.search(front.group(1)) if front else None
    return found.group(1).strip().strip("'\"[]") if found else None
