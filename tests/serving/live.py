"""A real server on a loopback port, in a thread of the test; and a few bytes of HTTP by hand."""

import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager

from compress.serving.run import ServeOptions, bind, make_server


@contextmanager
def running(backend, **options):
    """Yields the port; at the end the server must stop by itself."""
    chosen = ServeOptions(port=0, drain_seconds=5, **options)
    listening = bind("127.0.0.1", 0)
    server = make_server(backend, chosen)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


def until(condition, *, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def request(port, method, path, body=None, headers=None):
    """Status, headers and content of one request in a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def is_answered(port):
    """Whether a normal request gets its normal answer."""
    body = json.dumps({"adapter": "news", "texts": ["a"]})
    status, _, content = request(port, "POST", "/classify", body)
    return status == 200 and json.loads(content)["labels"] == ["sport"]


def exchange(port, data, *, timeout=20):
    """All that the server says to some bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        return read_all(connection)


def read_all(connection):
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said
