"""One bundle that is open, served as an adapter set is. Knows no HTTP."""

import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from compress.inference.bundle_config import BundleConfig, read_bundle_config
from compress.inference.classifier import open_predictor
from compress.inference.predictor import LOGITS, Array, Predictor
from compress.inference.text_encoder import Text
from compress.serving.backend import ModelFacts, Statistics, UnknownModel, UnknownVersion
from compress.serving.batch_mates import depends_on_batch
from compress.serving.engine import Engine
from compress.serving.model import Encoders, check_available
from compress.serving.rows import Row
from compress.serving.runner import BundleRunner

VERSION = 1
PUBLISHED = "bundle"
"""What a run calls the folder: the pipeline's, around it, says more."""


class BundleBackend:
    """Answers for the one model of a bundle.

    Args:
        folder: of the bundle.
        config: what its config.json says.
        predictor: its model.
        max_batch_tokens: padding counted.
        queue: rows that may wait.

    Raises: ConfigurationError when a file of the bundle is damaged.
    """

    kind: Literal["set", "bundle"] = "bundle"

    def __init__(
        self,
        folder: Path,
        config: BundleConfig,
        predictor: Predictor,
        *,
        max_batch_tokens: int = 256,
        queue: int = 256,
    ) -> None:
        self.title = name_of(folder)
        self._encoders = Encoders(folder, max_length=config.max_length)
        self._facts = ModelFacts(
            self.title, VERSION, (VERSION,), VERSION, config.task, config.labels, config.max_length
        )
        self._lock = threading.Lock()

        def answer(rows: Sequence[tuple[int, ...]]) -> Array:
            return predictor.predict(self._encoders.padded([Row(ids, "", VERSION).tokens for ids in rows]))[LOGITS]

        alone = depends_on_batch(answer, vocabulary=self._encoders.vocabulary, length=config.max_length)
        self._engine = Engine(
            BundleRunner(predictor, self._encoders.padded),
            max_batch_tokens=1 if alone else max_batch_tokens,
            queue=queue,
        )

    def models(self) -> list[ModelFacts]:
        """As `Backend`."""
        return [self._facts]

    def find(self, name: str, version: str | None = None) -> ModelFacts:
        """As `Backend`."""
        if name != self._facts.name:
            raise UnknownModel(name, near=get_close_matches(name[:64], [self._facts.name]))
        if version not in (None, str(VERSION)):
            raise UnknownVersion(name, str(version)[:20], known=(VERSION,))
        return self._facts

    def encode(self, facts: ModelFacts, text: Text) -> tuple[int, ...]:
        """As `Backend`."""
        return self._encoders.ids(text, max_length=facts.max_length)

    def submit(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, deadline: float) -> Future[list[Array]]:
        """As `Backend`."""
        check_available(facts)
        return self._engine.submit(self._encoders.rows(facts, rows), deadline=deadline)

    def load(self, name: str, version: int | None = None) -> None:
        """As `Backend`; the model never left."""
        self.find(name, None if version is None else str(version))
        with self._lock:
            self._facts = replace(self._facts, state="READY", reason="")

    def unload(self, name: str) -> None:
        """As `Backend`; the model stays in memory."""
        self.find(name)
        with self._lock:
            reason = f"'{name}' was unloaded: load it again to have it answer."
            self._facts = replace(self._facts, state="UNAVAILABLE", reason=reason)

    def check_alive(self) -> None:
        """As `Backend`."""
        self._engine.check_alive()

    def statistics(self) -> Statistics:
        """As `Backend`."""
        return Statistics(
            **asdict(self._engine.counts),
            waiting=self._engine.waiting,
            queue=self._engine.queue,
            slots=0,
            slots_used=0,
            loads=0,
            evictions=0,
        )

    def drain(self, seconds: float) -> bool:
        """As `Backend`."""
        return self._engine.drain(seconds)

    def stop(self) -> None:
        """As `Backend`."""
        self._engine.stop()


def open_bundle(folder: Path, *, threads: int, max_batch_tokens: int = 256, queue: int = 256) -> BundleBackend:
    """The bundle in `folder`, ready to answer.

    Args:
        folder: of the bundle.
        threads: of the runtime; 0: as many as there are physical cores.
        max_batch_tokens: padding counted.
        queue: rows that may wait.

    Raises: ConfigurationError when it is not a bundle, or a file is missing or damaged.
    """
    config = read_bundle_config(folder)
    predictor = open_predictor(folder, config, threads=threads, server=True)
    return BundleBackend(folder, config, predictor, max_batch_tokens=max_batch_tokens, queue=queue)


def name_of(folder: Path) -> str:
    """What a bundle is called: its folder, or its pipeline's where the folder is only called `bundle`.

    Only letters, digits, `.`, `_` and `-`: it stands in addresses.
    """
    path = folder.resolve()
    said = path.parent.name if path.name == PUBLISHED else path.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", said).strip("-.")[:64] or PUBLISHED
