"""An adapter set that is open: rows of many adapters answered by one graph. Knows no HTTP.

All adapters of the set answer, also those that are added while it runs; as many as there are slots are in memory.
"""

import errno
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from compress.adapters.facts import read_facts
from compress.adapters.own_head import read_zero
from compress.adapters.packing import Packed, pack, zero_packed
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.errors import AdapterError, ConfigurationError
from compress.inference.adapter_predictor import open_adapter_session
from compress.inference.predictor import Array
from compress.inference.text_encoder import Text
from compress.serving.adapters_on_disk import REFRESH_S, AdaptersOnDisk, stamp_of
from compress.serving.backend import (
    ModelFacts,
    ModelUnavailable,
    OutOfSpace,
    ServingError,
    Statistics,
    UnknownVersion,
)
from compress.serving.batch_mates import depends_on_batch
from compress.serving.engine import Engine
from compress.serving.model import Encoders, check_available
from compress.serving.reasons import Reasons
from compress.serving.registry import BASE_KEY, Registry
from compress.serving.rows import Key, Row
from compress.serving.runner import Session, SetRunner
from compress.serving.slots import Slots

FULL = (errno.ENOSPC, errno.EDQUOT)


def open_set(
    path: Path, *, threads: int, slots: int | None = None, max_batch_tokens: int = 256, queue: int = 256
) -> "SetBackend":
    """The set in `path`, ready to answer.

    Args:
        path: the set's folder.
        threads: of the runtime; 0: as many as there are physical cores.
        slots: adapters in memory at once, and one for the base; None: as the set says.
        max_batch_tokens: padding counted.
        queue: rows that may wait.

    Raises: CompressError when the folder is not a set, or a file of it is damaged.
    """
    if slots is not None and slots < 2:
        raise ConfigurationError(f"slots is {slots}: at least 2 are needed, one for the base and one for an adapter.")
    session = open_adapter_session(path, threads=threads, server=True)
    return SetBackend(path, session, slots=slots, max_batch_tokens=max_batch_tokens, queue=queue)


class SetBackend:
    """Answers for every adapter of a set.

    Args:
        path: the set's folder.
        session: its graph.
        slots: adapters in memory at once, and one for the base; None: as the set says.
        max_batch_tokens: padding counted.
        queue: rows that may wait.
        refresh_s: after how long a promoted version answers.

    Raises: AdapterError or ConfigurationError when the folder is not a set, or a file of it is damaged.
    """

    kind: Literal["set", "bundle"] = "set"

    def __init__(
        self,
        path: Path,
        session: Session,
        *,
        slots: int | None = None,
        max_batch_tokens: int = 256,
        queue: int = 256,
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._folder, self._reasons = AdapterSetFolder(path), Reasons(path)
        self._set_file = self._folder.set_file
        self.title = self._set_file.title
        self._encoders = Encoders(path / "base", max_length=self._set_file.max_length)
        slots = self._set_file.slots if slots is None else slots
        tables = Tables(self._set_file, slots, zero=read_zero(path, self._set_file))
        self._slots = Slots(tables.slots, load=self._read, write=tables.write, fixed={BASE_KEY: 0})
        adapters = AdaptersOnDisk(
            self._folder, read_facts=read_facts, is_held=self._slots.has, refresh_s=refresh_s, said=self._reasons.said
        )
        self._registry = Registry(adapters, own_head=self._set_file.own_head)
        alone = self._depends_on_batch(session, tables)
        self._engine = Engine(
            SetRunner(session, tables, self._slots, self._encoders.padded),
            max_batch_tokens=1 if alone else max_batch_tokens,
            queue=queue,
            max_adapters=tables.slots - 1,
        )

    def models(self) -> list[ModelFacts]:
        """As `Backend`."""
        return self._registry.models()

    def find(self, name: str, version: str | None = None) -> ModelFacts:
        """As `Backend`."""
        return self._registry.find(name, version)

    def encode(self, facts: ModelFacts, text: Text) -> tuple[int, ...]:
        """As `Backend`."""
        check_available(facts)
        return self._encoders.ids(text, max_length=facts.max_length)

    def submit(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, deadline: float) -> Future[list[Array]]:
        """As `Backend`."""
        check_available(facts)
        return self._engine.submit(self._encoders.rows(facts, rows), deadline=deadline)

    def load(self, name: str, version: int | None = None) -> None:
        """As `Backend`; the delta is read to see that it can be."""
        facts = self._registry.find(name, None if version is None else str(version))
        key = (facts.name, facts.version, facts.stamp)
        if not self._slots.has(key):
            self._read(key)
        self._registry.load(name, version)

    def unload(self, name: str) -> None:
        """As `Backend`; its slot is given up when another adapter needs it."""
        self._registry.unload(name)

    def check_alive(self) -> None:
        """As `Backend`."""
        self._engine.check_alive()

    def statistics(self) -> Statistics:
        """As `Backend`."""
        return Statistics(
            **asdict(self._engine.counts),
            waiting=self._engine.waiting,
            queue=self._engine.queue,
            slots=self._slots.slots,
            slots_used=self._slots.used,
            loads=self._slots.loads,
            evictions=self._slots.evictions,
        )

    def drain(self, seconds: float) -> bool:
        """As `Backend`."""
        return self._engine.drain(seconds)

    def stop(self) -> None:
        """As `Backend`."""
        self._engine.stop()

    def _read(self, key: Key) -> Packed:
        """An adapter's tables, from disk. Raises: UnknownVersion, ModelUnavailable, OutOfSpace."""
        name, version, stamp = key
        try:
            folder = self._folder.folder(name, version)
            packed = pack(read_delta(folder, largest=self._set_file.delta_bytes), self._set_file)
        except (AdapterError, MemoryError) as error:
            raise self._why_not(name, version, error) from error
        if stamp != stamp_of(folder):
            raise ModelUnavailable(f"'{name}' version {version} was just replaced: send the request again.")
        return packed

    def _why_not(self, name: str, version: int, error: AdapterError | MemoryError) -> ServingError:
        with suppress(AdapterError):  # the folder cannot be read: as `error` says
            known = self._folder.versions(name)
            if version not in known:
                return UnknownVersion(name, version, known=known)
        said = self._reasons.said(error)
        if isinstance(error, MemoryError) or getattr(error.__cause__, "errno", None) in FULL:
            return OutOfSpace(f"there is no room to load '{name}' version {version}: {said}")
        return ModelUnavailable(f"'{name}' version {version} cannot be loaded: {said}")

    def _depends_on_batch(self, session: Session, tables: Tables) -> bool:
        """Asked with a head drawn at random, because slots are empty at the start; also warms the session up."""
        draw = np.random.default_rng(0)
        empty = zero_packed(self._set_file)
        drawn = {
            name: draw.normal(size=table.shape).astype(np.float32) if name.startswith("head_weight.") else table
            for name, table in empty.items()
        }
        tables.write(1, drawn)

        def answer(rows: Sequence[tuple[int, ...]]) -> Array:
            batch = self._encoders.padded([Row(ids, "", 0).tokens for ids in rows])
            return session.predict(batch, np.ones(len(rows), dtype=np.int64), tables)

        depends = depends_on_batch(answer, vocabulary=self._encoders.vocabulary, length=self._set_file.max_length)
        tables.write(1, empty)
        return depends
