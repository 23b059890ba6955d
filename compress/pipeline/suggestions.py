"""Words for messages: did-you-mean, lists of what is known, values as they were found."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

LONGEST_SHOWN = 60


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; case and `-` for `_` do not count."""
    by_form = {_form(each): each for each in known}
    found = get_close_matches(_form(word), by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def did_you_mean(word: str, known: Sequence[str], *, kind: str) -> str:
    """`; did you mean 'x'?`, or everything that is known: `; known kinds: a, b`, or nothing when nothing is."""
    meant = closest(word, known)
    if meant is not None:
        return f"; did you mean '{meant}'?"
    return f"; {kind}: {', '.join(known)}" if known else ""


def either(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def article(noun: str) -> str:
    """`a Checkpoint`, `an OnnxModel`."""
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"


def shown(value: Any) -> str:
    """A value as the user knows it: text in quotes, `true`, `null`, `a list`."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        text = value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…"
        return "'" + json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"') + "'"
    return "nothing" if value is None else json.dumps(value)


def _form(word: str) -> str:
    return word.lower().replace("-", "_")
