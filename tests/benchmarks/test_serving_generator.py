import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from benchmarks.serving_parts.generator import Run, one_by_one
from benchmarks.serving_parts.outcome import Outcome
from benchmarks.serving_parts.pool import Request, WrongAnswerError, check, read_pool, write_pool
from benchmarks.serving_parts.wire import Answer, answer_in, get, post

EXPECTED = {"1": [0.25, 0.75], "2": [0.5, 0.5]}


def answer_body(*, adapter="news", version=1, probabilities=(0.25, 0.75)):
    shares = {f"label_{number}": share for number, share in enumerate(probabilities)}
    return json.dumps({"adapter": adapter, "version": version, "probabilities": [shares]}).encode()


@contextmanager
def server(*, status=200, body=b"", every_closes=0, version="HTTP/1.1"):
    """A real server of the standard library; counts its connections."""
    seen = {"requests": 0, "connections": 0, "texts": []}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def setup(self):
            seen["connections"] += 1
            super().setup()

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen["requests"] += 1
            seen["texts"].append(asked["texts"][0])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if every_closes and seen["requests"] % every_closes == 0:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    opened = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield opened.server_address[1], seen
    finally:
        opened.shutdown()
        opened.server_close()
        thread.join()


def run(port, tmp_path, *, rate=100.0, seconds=0.5, tolerance=0.0, checked=True):
    requests = [Request("news", f"text {number}", EXPECTED) for number in range(3)]
    wanted = {
        "host": "127.0.0.1", "port": port, "rate": rate, "seconds": seconds, "seed": 1,
        "out": str(tmp_path / "run.npz"), "check": checked, "tolerance": tolerance,
    }  # fmt: skip
    said = Run(wanted, requests, [one.message for one in requests]).answer()
    return said, Outcome.read(tmp_path / "run.npz")


def test_all_requests_are_sent_answered_and_checked(tmp_path):
    with server(body=answer_body()) as (port, seen):
        said, outcome = run(port, tmp_path)
    assert outcome.requests == seen["requests"] == said["checked"] > 20
    assert outcome.answered_share == 1
    assert (said["wrong"], said["largest_difference"], dict(said["versions"])) == (0, 0.0, {"1": outcome.requests})
    assert set(seen["texts"]) == {"text 0", "text 1", "text 2"}
    assert (outcome.latencies_ms > 0).all()


def test_connections_are_kept(tmp_path):
    with server(body=answer_body()) as (port, seen):
        said, outcome = run(port, tmp_path, rate=50.0)
    assert said["connections"] == seen["connections"] < outcome.requests / 2


def test_a_connection_that_the_server_closes_is_replaced(tmp_path):
    with server(body=answer_body(), every_closes=5) as (port, seen):
        _, outcome = run(port, tmp_path)
    assert outcome.answered_share == 1
    assert seen["connections"] >= outcome.requests // 5


def test_refused_requests_are_counted_not_checked(tmp_path):
    with server(status=503, body=b"{}") as (port, _):
        said, outcome = run(port, tmp_path)
    assert outcome.by_status() == {503: outcome.requests}
    assert said["checked"] == 0


def test_without_a_server_nothing_is_answered(tmp_path):
    with server() as (port, _):
        pass
    _, outcome = run(port, tmp_path)
    assert outcome.by_status() == {0: outcome.requests}
    assert np.isnan(outcome.done).all()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (answer_body(probabilities=(0.26, 0.74)), "0.01 off"),
        (answer_body(version=2), "0.25 off"),  # the other version's numbers under this one's name
        (answer_body(version=3), "version 3 of news answered"),
        (answer_body(adapter="other"), "asked news, version 1 of other answered"),
        (answer_body(probabilities=(0.25, 0.5, 0.25)), "3 labels of 2"),
        (b"no json", "JSONDecodeError"),
    ],
)
def test_wrong_answers_are_counted_and_shown(tmp_path, body, problem):
    with server(body=body) as (port, _):
        said, outcome = run(port, tmp_path, seconds=0.2)
    assert said["wrong"] == outcome.requests
    assert problem in said["problems"][0]
    assert len(said["problems"]) <= 5


def test_a_small_difference_is_allowed_where_it_is_said_so(tmp_path):
    with server(body=answer_body(probabilities=(0.26, 0.74))) as (port, _):
        said, _ = run(port, tmp_path, seconds=0.2, tolerance=0.02)
    assert said["wrong"] == 0
    assert said["largest_difference"] == pytest.approx(0.01)


def test_one_by_one_takes_a_time_for_each_call():
    with server(body=answer_body()) as (port, seen):
        message = Request("news", "text", {}).message
        said = one_by_one({"host": "127.0.0.1", "port": port, "calls": 7, "first": 0}, [message])
    assert len(said["times_ms"]) == seen["requests"] == 7
    assert seen["connections"] == 1


def test_one_by_one_stops_at_an_error():
    with server(status=404, body=b'{"code": "unknown_model"}') as (port, _), pytest.raises(RuntimeError, match="404"):
        one_by_one({"host": "127.0.0.1", "port": port, "calls": 2, "first": 0}, [Request("a", "b", {}).message])


def test_a_wrong_version_is_told_from_a_wrong_number():
    request = Request("news", "text", EXPECTED)
    assert check(request, answer_body(version=2, probabilities=(0.5, 0.5))) == ("2", 0.0)
    with pytest.raises(WrongAnswerError):
        check(request, answer_body(version=9))


def test_an_answer_is_whole_when_its_last_byte_is_there():
    whole = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 4\r\nconnection: close\r\n\r\nlate"
    assert [answer_in(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    assert answer_in(whole) == Answer(504, b"late", closes=True)


def test_an_answer_without_a_length_is_refused():
    with pytest.raises(ValueError, match="without a length"):
        answer_in(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_requests_say_their_length_in_bytes():
    assert post("/classify", "é").endswith(b'content-length: 8\r\n\r\n"\\u00e9"')
    assert get("/metrics").startswith(b"GET /metrics HTTP/1.1\r\n")


def test_a_pool_is_read_back_as_it_was_written(tmp_path):
    requests = [Request("a", "one\ntwo ü", {"1": [0.1, 0.9]}), Request("b", "", {})]
    assert read_pool(write_pool(tmp_path / "pool.jsonl", requests)) == requests
