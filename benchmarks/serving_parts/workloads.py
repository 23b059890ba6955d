"""Which texts are asked of which adapters: the requests of one cell of the throughput table, and what they must get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.adapters.packing import pack
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.inference.adapter_predictor import AdapterSession, open_adapter_session
from compress.inference.classifier import answer
from compress.inference.text_encoder import TextEncoder

from .arrivals import Popularity, draw_adapters, draw_lengths
from .deltas import name_of
from .pool import Request, Shares
from .texts import texts_of_lengths

LENGTHS = {"16": (4, 16), "48": (4, 48), "128": (128, 128)}
"""Tokens, shortest and longest, every length as likely as any other."""
POOL = 2000  # different requests; they are sent round and round


@dataclass(frozen=True)
class Workload:
    """What is asked.

    Attributes:
        popularity: of the adapters.
        lengths: shortest and longest text, tokens.
        adapters: how many.
    """

    popularity: Popularity
    lengths: tuple[int, int]
    adapters: int

    def __str__(self) -> str:
        shortest, longest = self.lengths
        tokens = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        return f"{self.adapters} adapters, {self.popularity}, {tokens} tokens"

    def requests(self, words: Sequence[str], *, count: int = POOL, seed: int = 0) -> list[Request]:
        """Requests whose answers are not checked."""
        lengths = draw_lengths(*self.lengths, requests=count, seed=seed)
        adapters = draw_adapters(self.adapters, self.popularity, requests=count, seed=seed + 1)
        texts = texts_of_lengths(words, lengths.tolist(), seed=seed + 2)
        return [Request(name_of(int(number)), text, {}) for number, text in zip(adapters, texts, strict=True)]


def with_expected(requests: Sequence[Request], set_folder: Path, *, threads: int) -> list[Request]:
    """The same, with what the offline model answers, by version: each text alone, one adapter in memory."""
    offline = Offline(set_folder, threads=threads)
    by_adapter: dict[str, list[int]] = {}
    for at, request in enumerate(requests):
        by_adapter.setdefault(request.adapter, []).append(at)
    found: dict[int, Mapping[str, Shares]] = {}
    for name, positions in by_adapter.items():
        answers = offline.answers(name, [requests[at].text for at in positions])
        found.update(zip(positions, answers, strict=True))
    return [Request(one.adapter, one.text, found[at]) for at, one in enumerate(requests)]


class Offline:
    """The set without a server: nothing shared with it but the graph and the arithmetic of softmax."""

    def __init__(self, set_folder: Path, *, threads: int) -> None:
        self._adapters = AdapterSetFolder(set_folder)
        self._tables = Tables(self._adapters.set_file, slots=2)
        self._session: AdapterSession = open_adapter_session(set_folder, threads=threads)
        self._encoder = TextEncoder.load(set_folder / "base", max_length=self._adapters.set_file.max_length)

    def answers(self, name: str, texts: Sequence[str]) -> list[Mapping[str, Shares]]:
        """Of each text, by version."""
        found: list[dict[str, Shares]] = [{} for _ in texts]
        for version in self._adapters.versions(name):
            delta = read_delta(self._adapters.folder(name, version))
            self._tables.write(1, pack(delta, self._adapters.set_file))
            for text, by_version in zip(texts, found, strict=True):
                by_version[str(version)] = self._shares(text, delta.facts.labels)
        return list(found)

    def _shares(self, text: str, labels: Sequence[str]) -> Shares:
        logits = self._session.predict(self._encoder.encode([text]), np.ones(1, dtype=np.int64), self._tables)
        said = answer(logits[0, : len(labels)], task="text-classification", labels=labels)
        return list(said.probabilities.values())
