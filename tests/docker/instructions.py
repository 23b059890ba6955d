"""A Dockerfile as instructions, for tests: comments gone, continued lines joined. Knows no heredocs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


@dataclass(frozen=True)
class Instruction:
    """`RUN`, `COPY` … and what follows it."""

    word: str
    rest: str

    def as_list(self) -> list[str]:
        """The exec form, `["a", "b"]`, with any flags before it left out."""
        return [str(part) for part in json.loads(self.rest[self.rest.index("[") :])]


def read_stages(name: str) -> list[list[Instruction]]:
    """The stages of docker/NAME.Dockerfile; each begins with its FROM."""
    lines = (DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append(Instruction(word, rest.strip()))
    return stages


def every(stage: list[Instruction], word: str) -> list[Instruction]:
    """The instructions of one kind."""
    return [instruction for instruction in stage if instruction.word == word]


def only(stage: list[Instruction], word: str) -> Instruction:
    """The one instruction of a kind."""
    found = every(stage, word)
    assert len(found) == 1, f"{len(found)} × {word}"
    return found[0]
