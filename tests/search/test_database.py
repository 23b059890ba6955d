"""Opening a storage beside another worker, and what is said of errors."""

import pytest
from optuna.study import StudyDirection
from sqlalchemy.exc import IntegrityError, OperationalError

from compress.errors import ConfigurationError, StoreError
from compress.search import database
from compress.search.database import open_storage, reason, without_password

URL = "postgresql+psycopg://me:hush@host:5432/db?password=also-hush&sslmode=require"


class Racing:
    """A database whose tables somebody else makes at the same moment."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors, self.asked = errors, 0

    def __call__(self, url, engine_kwargs):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "opened"


def test_tables_that_another_worker_makes_meanwhile_are_taken(monkeypatch):
    racing = Racing([IntegrityError("create", {}, Exception('duplicate key: "studydirection" already exists'))])
    monkeypatch.setattr(database, "RDBStorage", racing)
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.0)
    assert open_storage("sqlite:///x.db") == "opened"
    assert racing.asked == 2


def test_a_database_that_does_not_answer_is_asked_once(monkeypatch):
    racing = Racing([OperationalError("connect", {}, Exception("connection refused for me with hush"))])
    monkeypatch.setattr(database, "RDBStorage", racing)
    with pytest.raises(
        StoreError, match=r"me:\*\*\*@host:5432/db cannot be reached: connection refused for me with \*\*\*;"
    ):
        open_storage(URL)
    assert racing.asked == 1


def test_neither_the_password_nor_the_query_of_a_url_is_shown():
    assert without_password(URL) == "postgresql+psycopg://me:***@host:5432/db"
    assert reason(Exception("hush, also-hush and\nmore\nlines."), URL) == "***, *** and more"


def test_the_end_of_a_password_is_not_taken_for_a_host_and_shown():
    with pytest.raises(
        ConfigurationError, match=r"an '@' in the name or the password of a URL is written %40"
    ) as error:
        without_password("postgresql+psycopg://me:hu@sh@host/db")
    assert "sh@" not in str(error.value)
    assert without_password("postgresql+psycopg://me:hu%40sh@host/db") == "postgresql+psycopg://me:***@host/db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url):
    with pytest.raises(ConfigurationError, match="keeps nothing: name a file"):
        open_storage(url)


def test_a_file_of_sqlite_is_opened_twice(tmp_path):
    first, second = (open_storage(f"sqlite:///{tmp_path / 'study.db'}") for _ in range(2))
    first.create_new_study([StudyDirection.MINIMIZE], "s")
    assert second.get_study_id_from_name("s") == 1
