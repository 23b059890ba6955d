"""`read_only: true` without an engine: the server in a Python that refuses every write, as such a file system would."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.test_real_set import published

ROOT = Path(__file__).parents[2]
READ_ONLY = """
import errno, os, sys
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
def refuse(event, arguments):
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in CHANGES or (writes and not isinstance(arguments[0], int)):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(arguments[0]))
sys.addaudithook(refuse)
"""
SERVE = f"{READ_ONLY}from compress.cli import main; main()"


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of a real set, and its address."""
    folder = published(tmp_path / "set").folder
    command = [sys.executable, "-B", "-c", SERVE, "serve", str(folder), "--port", "0", "--threads", "1"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/", env=environ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + process.stderr.read()
        yield process, found[0]
        process.kill()


def test_a_server_answers_and_stops_where_nothing_can_be_written(server):
    process, url = server
    asked = urllib.request.Request(f"{url}/classify", json.dumps({"adapter": "news", "texts": ["a text"]}).encode())
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert len(json.load(answer)["labels"]) == 1
    for path in ("/", "/metrics", "/v2/health/ready"):
        with urllib.request.urlopen(url + path, timeout=30) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize("change", ["open('new', 'w')", "os.mkdir('new')", "os.rename('a', 'b')"])
def test_a_write_would_be_noticed(change, tmp_path):
    command = [sys.executable, "-B", "-c", f"{READ_ONLY}{change}"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert "Read-only file system" in said.stderr
    assert list(tmp_path.iterdir()) == []
