"""The baseline: one merged ONNX session per adapter, behind the same server, engine and batching.

Rows of different adapters cannot share a run, so a batch has rows of one adapter only; all else is as for a set. All
sessions are opened as the set's is, for a server.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from compress.adapters.facts import read_facts
from compress.inference.onnx_predictor import MODEL, OnnxPredictor, open_session
from compress.inference.predictor import LOGITS, Array, Predictor
from compress.inference.text_encoder import Text
from compress.serving.backend import ModelFacts, Statistics, UnknownModel, UnknownVersion
from compress.serving.engine import Engine
from compress.serving.model import Encoders
from compress.serving.rows import Row
from compress.serving.runner import Outcome

VERSION = 1


class MergedRunner:
    """Rows of one model at a time.

    Args:
        predictors: by adapter.
        encoders: pad them.
    """

    def __init__(self, predictors: Mapping[str, Predictor], encoders: Encoders) -> None:
        self._predictors, self._encoders = predictors, encoders

    def run(self, rows: Sequence[Row]) -> list[Outcome]:
        """Logits of each row, all of which ask for the first one's model."""
        batch = self._encoders.padded([row.tokens for row in rows])
        return list(self._predictors[rows[0].adapter].predict(batch)[LOGITS])


class MergedBackend:
    """Implements `compress.serving.backend.Backend`.

    Args:
        folder: `<name>/model.onnx` and `<name>/manifest.json` of each model, and the tokenizer's files.
        predictors: by adapter.
        max_batch_tokens: padding counted.
        queue: rows that may wait.
    """

    kind: Literal["set", "bundle"] = "set"
    title = "merged models"

    def __init__(
        self, folder: Path, predictors: Mapping[str, Predictor], *, max_batch_tokens: int = 256, queue: int = 256
    ) -> None:
        self._facts = {name: facts_of(folder, name) for name in predictors}
        longest = max((facts.max_length for facts in self._facts.values()), default=8)
        self._encoders = Encoders(folder, max_length=longest)
        runner = MergedRunner(predictors, self._encoders)
        self._engine = Engine(runner, max_batch_tokens=max_batch_tokens, queue=queue, max_adapters=1)

    def models(self) -> list[ModelFacts]:
        return list(self._facts.values())

    def find(self, name: str, version: str | None = None) -> ModelFacts:
        if name not in self._facts:
            raise UnknownModel(name, near=[])
        if version not in (None, str(VERSION)):
            raise UnknownVersion(name, str(version), known=(VERSION,))
        return self._facts[name]

    def encode(self, facts: ModelFacts, text: Text) -> tuple[int, ...]:
        return self._encoders.ids(text, max_length=facts.max_length)

    def submit(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, deadline: float) -> Future[list[Array]]:
        return self._engine.submit(self._encoders.rows(facts, rows), deadline=deadline)

    def load(self, name: str, version: int | None = None) -> None:
        self.find(name, None if version is None else str(version))

    def unload(self, name: str) -> None:
        self.find(name)

    def check_alive(self) -> None:
        self._engine.check_alive()

    def statistics(self) -> Statistics:
        return Statistics(
            **asdict(self._engine.counts), waiting=self._engine.waiting, queue=self._engine.queue,
            slots=0, slots_used=0, loads=0, evictions=0,
        )  # fmt: skip

    def drain(self, seconds: float) -> bool:
        return self._engine.drain(seconds)

    def stop(self) -> None:
        self._engine.stop()


def open_merged(folder: Path, names: Sequence[str], *, threads: int) -> MergedBackend:
    """All models, opened."""
    return MergedBackend(folder, {name: open_served(folder / name / MODEL, threads=threads) for name in names})


def open_served(file: Path, *, threads: int) -> Predictor:
    """A session as a server's own."""
    return OnnxPredictor(open_session(file, threads=threads, server=True))


def facts_of(folder: Path, name: str) -> ModelFacts:
    """From the manifest of the delta that was merged."""
    said = read_facts(folder / name)
    return ModelFacts(name, VERSION, (VERSION,), VERSION, said.task, said.labels, said.max_length)
