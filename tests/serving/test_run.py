"""Listening and stopping, in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from compress.errors import ConfigurationError
from compress.serving.run import ServeOptions, address, bind, serve
from tests.serving.fake_backend import FakeBackend
from tests.serving.live import is_answered, request, until

GOOD = json.dumps({"adapter": "news", "texts": ["a"]})


@contextmanager
def process(*, answer_seconds=0.0, drain_seconds=5.0):
    """The process and its port."""
    command = [sys.executable, "-m", "tests.serving.process", str(answer_seconds), str(drain_seconds)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started, int(re.search(r":(\d+)$", started.stderr.readline().strip())[1])
        finally:
            started.kill()


def ask_in_background(port, found):
    thread = threading.Thread(target=lambda: found.append(request(port, "POST", "/classify", GOOD)))
    thread.start()
    return thread


def test_sigterm_answers_what_was_begun_refuses_what_is_new_and_exits_0():
    with process(answer_seconds=1.0) as (started, port):
        found = []
        begun = ask_in_background(port, found)
        time.sleep(0.3)
        started.send_signal(signal.SIGTERM)
        until(lambda: request(port, "GET", "/v2/health/ready")[0] == 503)
        assert request(port, "GET", "/v2/health/live")[0] == 200
        status, headers, content = request(port, "POST", "/classify", GOOD)
        assert (status, headers["Retry-After"], json.loads(content)["code"]) == (503, "5", "draining")
        begun.join()
        assert found[0][0] == 200
        assert started.wait(5) == 0
        assert "Traceback" not in started.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_exits_0_at_once(number):
    with process() as (started, port):
        assert is_answered(port)
        asked = time.monotonic()
        started.send_signal(number)
        assert started.wait(5) == 0
        assert time.monotonic() - asked < 3


def test_the_time_to_drain_has_a_limit():
    with process(answer_seconds=60, drain_seconds=0.3) as (started, port):
        begun = ask_in_background(port, [])
        time.sleep(0.3)
        asked = time.monotonic()
        started.send_signal(signal.SIGTERM)
        assert started.wait(8) == 0
        assert time.monotonic() - asked < 5
        assert "requests that were cut off after 0.3 s: 1" in started.stderr.read()
        started.kill()
        begun.join()


def test_a_second_signal_ends_it_at_once():
    with process(answer_seconds=60, drain_seconds=60) as (started, port):
        begun = ask_in_background(port, [])
        time.sleep(0.3)
        for _ in range(2):
            started.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert started.wait(8) == 0
        begun.join()


def test_the_access_log_is_written_as_it_happens():
    with process() as (started, port):
        request(port, "GET", "/v2/health/live")
        line = json.loads(started.stdout.readline())
        assert (line["client"], line["path"], line["status"]) == ("127.0.0.1", "/v2/health/live", 200)


def test_an_address_that_is_taken_is_said_before_models_are_opened():
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        options = ServeOptions(port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="cannot be used: Address already in use"):
            serve(lambda: pytest.fail("opened"), options, say=lambda _: None)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a b", "x" * 300])
def test_what_is_no_address_is_said(host):
    with pytest.raises(ConfigurationError, match="is no address"):
        bind(host, 0)


def test_an_address_is_shown_as_it_is_typed():
    with bind("127.0.0.1", 0) as bound:
        assert address(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_the_backend_is_stopped_when_the_server_cannot_be_made(monkeypatch):
    backend = FakeBackend()
    monkeypatch.setattr("compress.serving.run.make_server", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(ZeroDivisionError):
        serve(lambda: backend, ServeOptions(port=0), say=lambda _: None)
    assert backend.stopped
