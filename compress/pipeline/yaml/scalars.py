"""What a plain scalar means: the core schema of YAML 1.2 (section 10.3.2).

Unlike YAML 1.1, which PyYAML reads: `1e-4` is a number; `no`, `on`, `1:30` and `2024-01-01` are text; `010` is ten.
"""

import re

from compress.pipeline.yaml.nodes import ScalarValue

NULL = re.compile(r"^(null|Null|NULL|~|)$")
TRUE = re.compile(r"^(true|True|TRUE)$")
FALSE = re.compile(r"^(false|False|FALSE)$")
WHOLE = re.compile(r"^[-+]?[0-9]{1,300}$")
OCTAL = re.compile(r"^0o[0-7]{1,100}$")
HEXADECIMAL = re.compile(r"^0x[0-9a-fA-F]{1,100}$")
REAL = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
INFINITE = re.compile(r"^[-+]?\.(inf|Inf|INF)$")
NOT_A_NUMBER = re.compile(r"^\.(nan|NaN|NAN)$")


def value_of(text: str) -> ScalarValue:
    """The value of an unquoted scalar."""
    if NULL.match(text):
        return None
    if TRUE.match(text) or FALSE.match(text):
        return bool(TRUE.match(text))
    return _number(text)


def _number(text: str) -> str | int | float:
    """A number, or the text itself."""
    if WHOLE.match(text):
        return int(text)
    if OCTAL.match(text) or HEXADECIMAL.match(text):
        return int(text, base=0)
    if REAL.match(text):
        return float(text)
    if INFINITE.match(text) or NOT_A_NUMBER.match(text):
        return float(text.replace(".", "", 1))
    return text
