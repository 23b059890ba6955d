"""What an adapter and its versions may be called: names become folders, so they hold nothing that a path does."""

import re

from compress.errors import AdapterError

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION = re.compile(r"[1-9][0-9]{0,8}")
SHOWN = 80


def check_name(name: str) -> str:
    """`name` as it is.

    Raises: AdapterError when it cannot be an adapter's name.
    """
    if NAME.fullmatch(name) is None:
        raise AdapterError(
            f"{shown(name)} cannot name an adapter: 1 to 64 letters, digits, '.', '_' and '-' are allowed, "
            "the first a letter or a digit, and no '..'."
        )
    return name


def check_version(text: str) -> int:
    """The number that `text` writes.

    Raises: AdapterError unless it is a decimal number from 1, without leading zeros.
    """
    if VERSION.fullmatch(text) is None:
        raise AdapterError(f"{shown(text)} is not a version of an adapter: versions are 1, 2, 3 …")
    return int(text)


def shown(text: str) -> str:
    """`text` as a message may repeat it: quoted, escaped and cut."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
