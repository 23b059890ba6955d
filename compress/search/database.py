"""Where a study is kept: opened before any work, with errors that say what to do and never a password."""

import time
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from compress.errors import ConfigurationError, StoreError

SQLITE_WAIT_SECONDS = 60
CONNECT_SECONDS = 10
TRIES, WAIT_SECONDS = 5, 1.0
WITH_TIMEOUT = frozenset({"psycopg", "psycopg2", "pymysql", "mysqldb"})
"""Drivers whose `connect` takes `connect_timeout`."""
HOW = "write sqlite:///FILE or DIALECT+DRIVER://USER:PASSWORD@HOST/DATABASE, as in postgresql+psycopg://…"


def open_storage(url: str) -> RDBStorage:
    """The storage, with Optuna's tables in it.

    Raises:
        ConfigurationError: the URL is none, or the library that speaks to the database is not installed.
        StoreError: the database cannot be reached or used.
    """
    shown = without_password(url)
    known = make_url(url)
    if known.get_backend_name() == "sqlite" and known.database in {None, "", ":memory:"}:
        raise ConfigurationError(f"--storage {shown} keeps nothing: name a file, as in sqlite:///studies.db")
    try:
        return _opened(url)
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(f"--storage {shown}: {_driver_problem(url, error)}") from None
    except SQLAlchemyError as error:
        raise StoreError(f"--storage {shown} cannot be reached: {reason(error, url)}; nothing was run.") from None
    except RuntimeError as error:  # tables of another version of Optuna
        raise StoreError(f"--storage {shown} cannot be used: {reason(error, url)}") from None


def _opened(url: str) -> RDBStorage:
    """Once more where another worker makes the tables at the same moment: both find none, and one is the second."""
    for _ in range(TRIES - 1):
        try:
            return RDBStorage(url, engine_kwargs=_engine_options(url))
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if "already exists" not in str(error.orig):
                raise
            time.sleep(WAIT_SECONDS)
    return RDBStorage(url, engine_kwargs=_engine_options(url))


def without_password(url: str) -> str:
    """The URL for people: the password as ***, and no query, which may hold one too. Raises: ConfigurationError."""
    try:
        known = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"--storage is no URL of a database: {HOW}") from None
    if "@" in (known.host or ""):  # the end of a password, taken for the beginning of the host: it would be shown
        raise ConfigurationError("--storage: an '@' in the name or the password of a URL is written %40")
    return known.set(query={}).render_as_string(hide_password=True)


def reason(error: BaseException, url: str) -> str:
    """The last thing that a database's error says, on one line, without anything secret of the URL."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    text = " ".join(lines[:2]).rstrip(".") if lines else type(original).__name__
    known = make_url(url)
    secrets = [known.password, *(value for value in known.query.values() if isinstance(value, str))]
    for secret in sorted({str(one) for one in secrets if one}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _engine_options(url: str) -> dict[str, Any]:
    """Waits for locks of SQLite, and not for ever for a server."""
    known = make_url(url)
    if known.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": SQLITE_WAIT_SECONDS}}
    options: dict[str, Any] = {"pool_pre_ping": True}
    if known.get_driver_name() in WITH_TIMEOUT:
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    return options


def _driver_problem(url: str, error: ImportError | NoSuchModuleError) -> str:
    if isinstance(error, NoSuchModuleError):
        return f"no such kind of database: {HOW}"
    driver = make_url(url).get_driver_name()
    return f"the library '{driver}' that speaks to it is not installed: pip install {driver}, or name another driver"
