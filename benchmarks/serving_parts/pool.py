"""The requests that a generator sends, one after the other and round again, and what their answers must be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .wire import post

Shares = Sequence[float]
"""Probabilities in the order of the labels."""


@dataclass(frozen=True)
class Request:
    """One text for one adapter.

    Attributes:
        adapter: that answers.
        text: that is asked.
        expected: probabilities by version, in the order of the labels, of the offline model; none: not checked.
    """

    adapter: str
    text: str
    expected: Mapping[str, Shares]

    @property
    def message(self) -> bytes:
        return post("/classify", {"adapter": self.adapter, "texts": [self.text]})


class WrongAnswerError(ValueError):
    """An answer that is not what was asked for."""


class Checked(NamedTuple):
    """A right answer, or one that is a little off."""

    version: str
    difference: float
    """Of the probabilities from the offline model's, the largest over the labels."""


def check(request: Request, body: bytes) -> Checked:
    """Look at the answer to a request.

    Raises: WrongAnswerError when another adapter answered, a version that does not exist, or other labels.
    """
    said = json.loads(body)
    version = str(said.get("version"))
    expected = request.expected.get(version)
    if said.get("adapter") != request.adapter or expected is None:
        raise WrongAnswerError(f"asked {request.adapter}, version {version} of {said.get('adapter')} answered")
    (probabilities,) = said["probabilities"]
    if len(probabilities) != len(expected):
        raise WrongAnswerError(f"{request.adapter} answered {len(probabilities)} labels of {len(expected)}")
    pairs = zip(probabilities.values(), expected, strict=True)
    return Checked(version, max(abs(one - other) for one, other in pairs))


def write_pool(file: Path, requests: Sequence[Request]) -> Path:
    lines = [json.dumps([one.adapter, one.text, dict(one.expected)]) for one in requests]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def read_pool(file: Path) -> list[Request]:
    return [Request(*json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
