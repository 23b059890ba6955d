"""`${env:NAME}` and `${env:NAME:-default}` in a value, filled in before validation.

As in a shell, the default stands in for a variable that is unset or empty. `$${` writes a literal `${`. A variable is
never looked for inside a variable's value. In a value without quotes the result is typed as YAML would type it; inside
`{ }` and `[ ]` YAML wants quotes around `${…}`.
"""

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<inside>[^}]*)(?P<closed>\})?")
ENVIRONMENT = re.compile(r"^env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?$", re.DOTALL)


class VariableError(ValueError):
    """A variable that cannot be filled in; the message is a sentence without a place."""


def has_variable(text: str) -> bool:
    """Whether there is anything to fill in, or to unescape."""
    return "${" in text


def filled_in(text: str, environ: Mapping[str, str]) -> str:
    """`text` with every variable replaced. Raises: VariableError."""
    return VARIABLE.sub(lambda found: _value(found, environ), text)


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "${"
    known = ENVIRONMENT.match(found["inside"]) if found["closed"] else None
    if known is None:
        raise VariableError(
            f"'{found[0]}' is no variable: write ${{env:NAME}} or ${{env:NAME:-default}}, or $${{ for a literal ${{"
        )
    value = environ.get(known["name"]) or known["default"]
    if value is None:
        state = "empty" if known["name"] in environ else "not set"
        raise VariableError(
            f"the environment variable '{known['name']}' is {state}: set it, or write ${{env:{known['name']}:-default}}"
        )
    return value
