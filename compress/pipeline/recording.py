"""A `Progress` that passes everything on and keeps the warnings of one stage, so that they can be shown again."""

from contextlib import AbstractContextManager

from compress.progress import Advance, Progress


class Recording:
    """Remembers what was warned of."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        """What is told without being kept."""
        self.warnings: list[str] = []

    def track(self, description: str, total: float) -> AbstractContextManager[Advance]:
        """Passed on."""
        return self.progress.track(description, total)

    def say(self, message: str) -> None:
        """Passed on."""
        self.progress.say(message)

    def warn(self, message: str) -> None:
        """Passed on and kept."""
        self.warnings.append(message)
        self.progress.warn(message)
