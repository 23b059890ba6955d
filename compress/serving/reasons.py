"""What is wrong with files, in two ways: for the log in full, for clients without where the server keeps them."""

import logging
from pathlib import Path

MOST_TOLD = 1024

logger = logging.getLogger("compress.serving")


class Reasons:
    """Of one folder that is served. Any thread may ask.

    Args:
        folder: a set or a bundle; what lies in it is called by its place inside.
    """

    def __init__(self, folder: Path) -> None:
        places = {str(folder), str(folder.absolute()), str(folder.resolve())} - {".", "/"}
        self._places = sorted(places, key=len, reverse=True)
        self._told: set[str] = set()

    def said(self, error: Exception) -> str:
        """The sentence for clients; the log is told the whole one, once and not at each request."""
        whole = str(error)
        if whole not in self._told:
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told.add(whole)
            logger.warning("%s", whole)
        return self._inside(whole)

    def _inside(self, text: str) -> str:
        for place in self._places:
            text = text.replace(f"{place}/", "").replace(place, "the folder that is served")
        return text
