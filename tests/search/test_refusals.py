"""What a search refuses before any work."""

import pytest

from compress.errors import ConfigurationError, StoreError
from tests.search.small_search import SmallSearch

SECRET = "hush-hush"


@pytest.fixture
def search(tmp_path) -> SmallSearch:
    return SmallSearch(tmp_path / "project")


def refused(search: SmallSearch, *overrides: str, **asked) -> str:
    with pytest.raises((ConfigurationError, StoreError)) as error:
        search.run(*overrides, **asked)
    assert not (search.folder / ".compress" / "artifacts").exists(), "nothing was made"
    return str(error.value)


def test_a_file_without_a_search(search):
    text = search.file.read_text()
    search.file.write_text(text[: text.index("# What varies.")])
    assert "there is no 'search' block: add one" in refused(search)


def test_a_field_that_does_not_exist(search):
    search.edit("student.student.layers", "student.student.layer")
    assert "tiny.yaml:26:39: " in refused(search)
    assert "unknown key 'layer' in student; did you mean 'layers'?" in refused(search)


def test_a_storage_that_cannot_be_reached_and_never_its_password(search):
    said = refused(search, storage=f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/studies")
    assert said.startswith("--storage postgresql+psycopg://me:***@127.0.0.1:1/studies cannot be reached:")
    assert "nothing was run" in said
    assert SECRET not in said


@pytest.mark.parametrize("url", ["studies", "", "postgresql+psycopg//x"])
def test_a_storage_that_is_no_url(search, url):
    assert "--storage is no URL of a database" in refused(search, storage=url or " ")


def test_a_kind_of_database_that_nobody_knows(search):
    assert "no such kind of database" in refused(search, storage=f"nosuchdb://me:{SECRET}@host/x")
    assert SECRET not in refused(search, storage=f"nosuchdb://me:{SECRET}@host/x")


def test_a_driver_that_is_not_installed(search):
    said = refused(search, storage=f"mysql+pymysql://me:{SECRET}@host/x")
    assert "the library 'pymysql' that speaks to it is not installed: pip install pymysql" in said
    assert SECRET not in said


def test_a_sqlite_file_in_a_folder_that_is_not_there(search):
    assert "unable to open database file" in refused(search, storage=f"sqlite:///{search.folder}/no/such/study.db")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("accuracy > 0.9", "'>' in 'accuracy > 0.9' is not known: write >="),
        ("accuracy_drop <= a lot", "is no limit"),
        ("min size_mb, accuracy >= 0.9", "'min size_mb' must stand at the end, and once"),
        ("least size_mb", "is neither a limit nor a goal"),
        ("accuracy >= 0.9,", "has an empty part"),
        ("min sice_mb", "'sice_mb' is not a figure of text-classification, did you mean 'size_mb'?"),
        ("min latency_ms", "latency is not measured"),
    ],
)
def test_a_rule_that_is_none(search, rule, said):
    assert said in refused(search, pick=rule)


def test_targets_that_cannot_or_should_not_be_written(search):
    other = search.folder / "mine.yaml"
    other.write_text("name: mine\n")
    assert "that is the file that is searched" in refused(search, write=search.file)
    assert "was not written by a search: name another one" in refused(search, write=other)
    assert "name a file in a folder that is there" in refused(search, write=search.folder / "no" / "best.yaml")


def test_several_workers_that_would_each_measure_latencies(search):
    search.edit("{minimize: size_mb}", "{minimize: latency_ms}")
    search.edit("latency: none", "latency: gated")
    assert "several workers cannot all measure latencies" in refused(search, worker="a")
    assert "this one has no name: give it one with --worker NAME" in refused(search, latency_worker="a")
    assert "need a name of letters, digits" in refused(search, worker="a b")


def test_a_worker_without_a_name_where_the_file_names_who_measures_latencies(search):
    search.edit("  trials: 3", "  latency_worker: clock")
    assert "(--worker clock for the one that measures)" in refused(search)


@pytest.mark.parametrize("name", ["../escape", "two words", ".hidden", "a" * 65])
def test_a_study_whose_name_is_no_name_of_a_folder(search, name):
    assert "--study need a name of letters, digits" in refused(search, study=name)


def test_a_search_below_a_launcher(search, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "start it without torchrun" in refused(search)
