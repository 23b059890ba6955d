"""The token that may load and unload: from a file or the environment, compared in constant time, never shown."""

import hmac
from pathlib import Path

from compress.errors import ConfigurationError

VARIABLE = "COMPRESS_SERVE_TOKEN"
SHORTEST, LONGEST = 16, 4096


def read_token(file: Path | None, environment: str | None) -> str | None:
    """The token in `file`, else `environment`, the value of COMPRESS_SERVE_TOKEN; None when there is neither.

    Raises: ConfigurationError when it cannot be read, is too short to be a secret, or is not plain ASCII.
    """
    token, where = (environment, f"${VARIABLE}") if file is None else (_read(file), str(file))
    if token is None or (file is None and not token):  # a variable that is set to nothing
        return None
    token = token.strip()
    if not SHORTEST <= len(token) <= LONGEST or not token.isascii() or not token.isprintable():
        raise ConfigurationError(
            f"{where}: the token must have {SHORTEST} to {LONGEST} printable ASCII characters; "
            "`openssl rand -hex 32` makes one."
        )
    return token


def accepted(header: str | None, token: str) -> bool:
    """Whether the value of the header Authorization is `Bearer <token>`."""
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return same and scheme.lower() == "bearer"


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST + 2).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--token-file {file} cannot be read: {error}.") from error
