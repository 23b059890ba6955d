"""`compress adapters`: what people read, what machines read, and the exit codes."""

import json
import subprocess
import sys

import pytest

from tests.adapters.hand_made import tiny_delta, tiny_set


@pytest.fixture
def places(tmp_path):
    return tiny_set(tmp_path / "set"), tiny_delta(tmp_path / "delta")


def test_an_adapter_is_added_promoted_listed_and_removed(compress, places):
    folder, delta = places
    assert compress("adapters", "add", folder, "news", delta) == (0, "added news version 1\n", "")
    assert compress("adapters", "add", folder, "news", delta, "--no-promote")[1] == (
        "added news version 2, not promoted\n"
    )
    assert compress("adapters", "promote", folder, "news", 2)[1] == "news: version 2 is the latest\n"
    listing = compress("adapters", "list", folder)[1]
    assert "news" in listing
    assert "1, 2" in listing
    assert compress("adapters", "remove", folder, "news", "--version", 1)[1] == "removed news version 1\n"
    assert compress("adapters", "remove", folder, "news")[1] == "removed news\n"
    assert json.loads(compress("adapters", "list", folder, "--json")[1]) == []


def test_machines_get_json_only(compress, places):
    folder, delta = places
    added = compress("adapters", "add", folder, "news", delta, "--json")
    assert json.loads(added[1]) == {"name": "news", "version": 1, "promoted": True}
    rows = json.loads(compress("adapters", "list", folder, "--json")[1])
    assert [(row["name"], row["latest"], row["task"]) for row in rows] == [("news", 1, "text-classification")]
    assert json.loads(compress("adapters", "promote", folder, "news", 1, "--json")[1]) == {"name": "news", "latest": 1}
    removed = compress("adapters", "remove", folder, "news", "--json")
    assert json.loads(removed[1]) == {"name": "news", "version": None}


def test_arguments_that_name_nothing_exit_with_2(compress, places, tmp_path):
    folder, delta = places
    for arguments, message in (
        (("list", tmp_path / "nothing"), "is not an adapter set"),
        (("add", folder, "../evil", delta), "cannot name an adapter"),
        (("remove", folder, "a/b"), "cannot name an adapter"),
    ):
        code, out, error = compress("adapters", *arguments)
        assert (code, out) == (2, "")
        assert message in error


def test_a_refused_delta_exits_with_4_and_says_why(compress, places, tmp_path):
    folder, _ = places
    code, out, error = compress("adapters", "add", folder, "news", tiny_delta(tmp_path / "big", rank=5))
    assert (code, out) == (4, "")
    assert "the adapter has rank 5, this set takes up to 4" in error
    assert compress("adapters", "promote", folder, "news", 1)[0] == 4
    assert compress("adapters", "list", folder, "--json")[1] == "[]\n"


def test_no_heavy_library_is_needed(places):
    """An edge box has neither torch nor peft."""
    folder, delta = places
    code = f"""
import sys
for name in ("torch", "transformers", "peft", "datasets", "onnx"):
    sys.modules[name] = None
from compress.cli import main
sys.argv = ["compress", "adapters", "add", {str(folder)!r}, "news", {str(delta)!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "added news version 1\n"), done.stderr
