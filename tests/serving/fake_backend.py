"""A backend of three adapters without any runtime: logits are read off the text itself, so that tests know them."""

import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from compress.serving.backend import (
    BadRow,
    Broken,
    DeadlineExceeded,
    Draining,
    ModelFacts,
    ModelUnavailable,
    QueueFull,
    Statistics,
    UnknownModel,
    UnknownVersion,
)

NEWS = ModelFacts("news", 2, (1, 2), 2, "text-classification", ("business", "politics", "sport"), 16)
TOPICS = ModelFacts("topics", 1, (1,), 1, "multi-label-classification", ("<b>cats</b>", "dogs"), 16)
STARS = ModelFacts("stars", 1, (1,), 1, "text-regression", ("stars",), 16)


class FakeBackend:
    """A text's ids are its characters' codes; a row's logits are the sum of its ids times 0, 1, 2, …, over 1000.

    Args:
        models: what is served.
        kind: set or bundle.
        seconds: how long an answer takes.
    """

    title = "A <fake> & small set"

    def __init__(self, *models, kind="set", seconds=0.0):
        self.served = {one.name: one for one in models or (NEWS, TOPICS, STARS)}
        self.kind, self.seconds = kind, seconds
        self.submitted, self.failure, self.draining, self.stopped = [], None, False, False
        self.broken = False

    def models(self):
        return [self.served[name] for name in sorted(self.served)]

    def find(self, name, version=None):
        facts = self.served.get(name)
        if facts is None:
            raise UnknownModel(name, near=[one for one in self.served if one[0] == name[:1]])
        if version is not None and version not in map(str, facts.versions):
            raise UnknownVersion(name, version, known=facts.versions)
        return facts if version is None else replace(facts, version=int(version))

    def encode(self, facts, text):
        joined = text if isinstance(text, str) else "\n".join(text)
        return tuple(ord(character) for character in joined)[: facts.max_length] or (0,)

    def submit(self, facts, rows, *, deadline):
        if self.failure is not None:
            raise self.failure
        if self.draining:
            raise Draining
        if facts.state != "READY":
            raise ModelUnavailable(facts.reason)
        if any(not row or min(row) < 0 or max(row) > 0x10FFFF or len(row) > facts.max_length for row in rows):
            raise BadRow("row 0 has ids that the model does not know: send others.")
        self.submitted.append((facts.name, facts.version, list(rows)))
        future = Future()
        if self.seconds:
            threading.Thread(target=self._later, args=(future, facts, rows, deadline), daemon=True).start()
        else:
            future.set_result([logits(facts, row) for row in rows])
        return future

    def _later(self, future, facts, rows, deadline):
        time.sleep(self.seconds)
        if not future.set_running_or_notify_cancel():
            return
        if time.monotonic() > deadline:
            future.set_exception(DeadlineExceeded())
        else:
            future.set_result([logits(facts, row) for row in rows])

    def load(self, name, version=None):
        facts = self.find(name, None if version is None else str(version))
        self.served[name] = replace(facts, state="READY", reason="", latest=facts.version)

    def unload(self, name):
        self.served[name] = replace(self.find(name), state="UNAVAILABLE", reason=f"'{name}' was unloaded.")

    def check_alive(self):
        if self.broken:
            raise Broken

    def statistics(self):
        return Statistics(
            waiting=3, queue=256, batches=5, batches_by_rows=(1, 0, 2, 1, 0, 1, 0, 0, 0), rows=20, tokens=90,
            padded_tokens=100, expired=1, failed=2, busy_seconds=1.5, slots=64, slots_used=7, loads=9, evictions=2,
        )  # fmt: skip

    def drain(self, seconds):
        self.draining = True
        return True

    def stop(self):
        self.stopped = True


def logits(facts, row):
    return (np.arange(len(facts.labels)) * sum(row) / 1000).astype(np.float32)


QUEUE_FULL = QueueFull(waiting=256, rows=1, queue=256, retry_after_s=1.2)
