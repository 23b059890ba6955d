"""Whether requests are taken, and how many are on their way: what a server needs to stop without harming one."""

from compress.serving.failures import Draining


class Admission:
    """Open until `close`; used from the event loop alone."""

    def __init__(self) -> None:
        self.closed = False
        self.in_flight = 0
        """Requests that have begun and are not answered."""

    def close(self) -> None:
        """From now on `check` refuses; those in flight go on."""
        self.closed = True

    def check(self) -> None:
        """Raises: Draining when the server is about to stop."""
        if self.closed:
            raise Draining
