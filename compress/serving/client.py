"""A client for `compress serve`, with the standard library alone: this file can be copied anywhere."""

import json
import urllib.error
import urllib.request
from typing import Any


class ServerProblem(Exception):  # noqa: N818
    """What the server refused: `status`, `code`, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Client:
    """`Client("http://127.0.0.1:8080").classify(["A text."], adapter="news")["labels"]`; `timeout` in seconds."""

    def __init__(self, url: str, *, timeout: float = 30) -> None:
        self._url, self._timeout = url.rstrip("/"), timeout

    def classify(self, texts: list[str], adapter: str | None = None, version: int | None = None) -> dict[str, Any]:
        """Labels and probabilities of each text. Raises: ServerProblem."""
        return self._ask("/classify", {"texts": texts, "adapter": adapter, "version": version})

    def models(self) -> list[dict[str, Any]]:
        """What is served, with versions and labels. Raises: ServerProblem."""
        return list(self._ask("/v1/models")["models"])

    def _ask(self, path: str, content: object = None) -> dict[str, Any]:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            is_ours = error.headers.get_content_type() == "application/json"  # not a proxy's page
            said = json.load(error) if is_ours else {"code": "", "error": error.reason}
            raise ServerProblem(error.code, said["code"], said["error"]) from None
