"""Bad peers against a real server; after each, a normal request is answered."""

import http.client
import json
import re
import socket
import time

import pytest

from compress.serving.connections import ConnectionLimits, bounded
from compress.serving.limits import Limits
from compress.serving.one_by_one import SLICE, OneByOne
from tests.serving.fake_backend import FakeBackend
from tests.serving.live import exchange, is_answered, read_all, request, running, until

GOOD = json.dumps({"adapter": "news", "texts": ["a"]}).encode()
POST = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def port():
    limits = ConnectionLimits(
        connections=40, header_seconds=0.5, body_seconds=0.7, reading_seconds=0.6, idle_seconds=1
    )  # fmt: skip
    with running(FakeBackend(), connections=limits) as port:
        yield port


@pytest.fixture(autouse=True)
def _alive(port):
    yield
    assert is_answered(port)


def problem(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def test_what_is_no_http_is_refused_as_json(port):
    assert problem(exchange(port, b"\x16\x03\x01 hello\r\n\r\n")) == (400, "bad_http")
    assert problem(exchange(port, b"GET / HTTP/1.1\r\nno colon\r\n\r\n")) == (400, "bad_http")


def test_a_header_without_end_is_refused(port):
    assert problem(exchange(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)) == (400, "bad_http")


def test_a_header_that_comes_too_slowly_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        started = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() - started < 0.4:
            connection.sendall(b"X: y\r\n")  # more bytes do not buy more time
            time.sleep(0.05)
        assert problem(read_all(connection)) == (408, "too_slow")
        assert 0.4 < time.monotonic() - started < 3


def test_a_body_that_comes_too_slowly_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        started = time.monotonic()
        connection.sendall(POST % 1000 + b"{")
        assert problem(read_all(connection)) == (408, "too_slow")
        assert 0.6 < time.monotonic() - started < 3


def test_a_body_that_comes_too_slowly_behind_another_request_is_cut_off(port):
    said = exchange(port, b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n" + POST % 1000 + b"{", timeout=5)
    assert said.startswith(b"HTTP/1.1 200")
    assert problem(said[said.index(b"HTTP/1.1 408") :]) == (408, "too_slow")


def in_flight(port):
    metrics = request(port, "GET", "/metrics")[2].decode()
    return float(re.search(r"^compress_requests_in_flight (\S+)$", metrics, re.MULTILINE)[1])


def unread(port, path=b"/openapi.json", requests=400):
    """A connection whose answers nobody reads: more than the system keeps for it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path * requests)
    return connection


def test_who_does_not_read_what_is_answered_is_cut_off(port):
    with unread(port), unread(port):
        until(lambda: in_flight(port) == 3)
        until(lambda: in_flight(port) == 1)  # the one that asks


def test_who_reads_slowly_is_answered_whole(port):
    with unread(port, requests=60) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = b""
        while part := connection.recv(65536):
            said += part
            time.sleep(0.005)
        assert said.count(b"HTTP/1.1 200") == 61


@pytest.mark.parametrize("before", [b"", b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_body_with_two_lengths_is_refused_and_what_follows_is_no_request(port, before):
    both = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    said = exchange(port, before + both + chunks + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert said.count(b"HTTP/1.1 200") == bool(before)
    assert problem(said[said.index(b"HTTP/1.1 400") :]) == (400, "bad_http")


def test_a_connection_that_says_nothing_is_closed(port):
    assert exchange(port, b"") == b""


def test_a_connection_that_is_idle_after_its_answer_is_closed(port):
    said = exchange(port, POST % len(GOOD) + GOOD)
    assert said.startswith(b"HTTP/1.1 200")


def test_requests_one_after_another_share_a_connection(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(3):
        connection.request("POST", "/classify", GOOD)
        assert json.loads(connection.getresponse().read())["labels"] == ["sport"]
        time.sleep(0.3)  # together longer than one header may take
    connection.close()


def test_pipelined_requests_are_answered(port):
    one = POST % len(GOOD) + GOOD
    assert exchange(port, one * 3).count(b"HTTP/1.1 200") == 3


def test_silent_connections_make_room(port):
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(120)]  # three times the limit
    assert is_answered(port)
    for connection in silent:
        connection.close()


def test_connections_with_half_a_header_make_room(port):
    slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(60)]
    for connection in slow:
        try:
            connection.sendall(b"POST /classify HTTP/1.1\r\nContent-")
        except OSError:
            continue  # it made room already
    assert is_answered(port)
    for connection in slow:
        connection.close()


def test_many_tiny_connections_harm_nobody(port):
    _come_and_go(port, 500)


@pytest.mark.slow
def test_ten_thousand_tiny_connections_harm_nobody(port):
    _come_and_go(port, 10_000)


def _come_and_go(port, count):
    for number in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            if number % 3:
                connection.sendall(b"GET"[: number % 4])


def test_a_body_of_100_mb_is_refused_before_it_is_read(port):
    status, _, content = request(port, "POST", "/classify", b"x" * 100_000_000)
    assert (status, json.loads(content)["code"]) == (413, "body_too_large")


def test_a_chunked_body_of_100_mb_is_refused_on_the_way():
    chunks = (b"x" * 1_000_000 for _ in range(100))
    with running(FakeBackend()) as port:
        status, _, content = request(port, "POST", "/classify", chunks)  # chunked, since no length is known
        assert (status, json.loads(content)["code"]) == (413, "body_too_large")
        assert is_answered(port)


def test_who_asks_before_sending_is_told_at_once(port):
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_chunk_that_is_none_is_refused(port):
    said = exchange(port, b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert problem(said) == (400, "bad_http")


def test_who_leaves_in_the_middle_is_forgotten(port):
    for sent in (POST % 1000 + b"{", POST % len(GOOD) + GOOD):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(sent)


def test_an_upgrade_is_not_made(port):
    head = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


UPGRADE = b"Connection: keep-alive, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"


def test_a_body_that_asks_for_another_protocol_is_read_and_so_is_what_follows(port):
    """Java's own client asks for HTTP/2 with every first request."""
    one = POST.removesuffix(b"\r\n") % len(GOOD) + UPGRADE + b"\r\n" + GOOD
    said = exchange(port, one + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n" + one)
    assert (said.count(b"HTTP/1.1 200"), said.count(b'"labels":["sport"]')) == (3, 2)


def test_a_proxy_is_not_played(port):
    assert problem(exchange(port, b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n")) == (400, "bad_http")


def test_what_is_no_request_behind_others_is_refused_after_they_are_answered(port):
    said = exchange(port, (POST % len(GOOD) + GOOD) * 2 + b"nonsense\r\n\r\n")
    assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]


def test_a_broken_body_behind_another_request_is_refused_after_it_is_answered():
    broken = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with running(FakeBackend(seconds=0.2)) as port:
        said = exchange(port, POST % len(GOOD) + GOOD + broken)
        assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]


def test_requests_without_end_wait_in_the_network_not_in_memory(monkeypatch):
    """No more than a slice of them is ever read ahead."""
    most = 0
    whole = OneByOne.on_headers_complete

    def counted(self):
        nonlocal most
        whole(self)
        most = max(most, len(self.pipeline))

    monkeypatch.setattr(OneByOne, "on_headers_complete", counted)
    one = POST % len(GOOD) + GOOD
    with running(FakeBackend(seconds=0.001)) as port:
        assert exchange(port, one * 200, timeout=30).count(b"HTTP/1.1 200") == 200
    assert 0 < most <= SLICE / len(one) + 1


def test_empty_lines_before_a_request_are_no_harm_and_buy_no_time(port):
    good = POST % len(GOOD) + GOOD
    assert exchange(port, good + b"\r\n" * 9 + good).count(b"HTTP/1.1 200") == 2
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(good)
        connection.settimeout(0.1)
        started, said = time.monotonic(), b" "
        while said and time.monotonic() - started < 5:
            try:
                connection.sendall(b"\r\n")
                said = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:  # it was closed, and we went on
                said = b""
        assert time.monotonic() - started < 2


def test_a_header_in_single_bytes_is_read(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for byte in POST % len(GOOD) + GOOD:
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_while_all_are_busy_one_more_is_answered():
    limits = ConnectionLimits(connections=3)
    with running(FakeBackend(seconds=0.5), connections=limits) as port:
        busy = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3)]
        for connection in busy:
            connection.sendall(POST % len(GOOD) + GOOD)
        time.sleep(0.1)
        assert is_answered(port)
        assert all(connection.recv(65536).startswith(b"HTTP/1.1 200") for connection in busy)
        for connection in busy:
            connection.close()


def test_bodies_that_are_held_count_until_they_are_read():
    limits = Limits(body_bytes=2000, all_bodies_bytes=3000)
    with running(FakeBackend(), limits=limits) as port:
        held = []
        for _ in range(2):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.sendall(POST % 1500 + b"x" * 1499)
            held.append(connection)
        time.sleep(0.2)
        status, headers, content = request(port, "POST", "/classify", GOOD)
        assert (status, headers["Retry-After"], json.loads(content)["code"]) == (503, "1", "too_busy")
        for connection in held:
            connection.close()
        until(lambda: is_answered(port))


def test_fewer_connections_than_the_system_has_files_for(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 4096))
    assert bounded(ConnectionLimits()).connection_limits.connections == 156
    assert bounded(ConnectionLimits(connections=20)).connection_limits.connections == 20
