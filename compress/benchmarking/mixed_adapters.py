"""A set of adapters as one predictor for timing: the rows of a batch use its adapters in turn.

So a batch of 8 rows of a set with 8 adapters gathers from 8 slots, and calls of one row go round all adapters too.
Knows no clock.
"""

from pathlib import Path

import numpy as np

from compress.adapters.own_head import read_zero
from compress.adapters.packing import pack
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.errors import AdapterError
from compress.inference.adapter_predictor import AdapterSession, open_adapter_session
from compress.inference.predictor import LOGITS, Batch


class MixedAdapters:
    """All adapters of a set, as many as it holds in memory.

    Args:
        session: of the set's graph.
        tables: with an adapter in every slot from 1 to `adapters`.
        adapters: how many.
    """

    def __init__(self, session: AdapterSession, tables: Tables, *, adapters: int) -> None:
        self._session, self._tables, self._adapters = session, tables, adapters
        self._next = 0

    def predict(self, batch: Batch) -> Batch:
        """`logits` float32 (batch, the set's most labels); each row by the adapter after the one before it."""
        rows = len(batch["input_ids"])
        index = (np.arange(self._next, self._next + rows, dtype=np.int64) % self._adapters) + 1
        self._next = (self._next + rows) % self._adapters
        return {LOGITS: self._session.predict(batch, index, self._tables)}


def open_mixed(folder: Path, *, threads: int) -> MixedAdapters:
    """The latest versions of the set's adapters, in slots of their own.

    Raises: AdapterError when the folder is no set, or one of its adapters cannot be read, or there is none.
    """
    there = AdapterSetFolder(folder)
    set_file, names = there.set_file, there.names()[: there.set_file.slots - 1]
    if not names:
        raise AdapterError(f"the set {folder} has no adapters to time: add one with `compress adapters add`.")
    tables = Tables(set_file, len(names) + 1, zero=read_zero(folder, set_file))
    for slot, name in enumerate(names, start=1):
        tables.write(slot, pack(there.read(name, there.latest(name)), set_file))
    return MixedAdapters(open_adapter_session(folder, threads=threads), tables, adapters=len(names))
