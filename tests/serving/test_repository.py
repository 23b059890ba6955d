"""Load and unload from outside: off, and with a token when on."""

import pytest
from starlette.testclient import TestClient

from compress.errors import ConfigurationError
from compress.serving.app import make_app
from compress.serving.backend import ModelUnavailable, OutOfSpace
from compress.serving.repository import Control
from compress.serving.run import ServeOptions, check_control
from compress.serving.token import read_token
from tests.serving.fake_backend import FakeBackend

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
INDEX, LOAD, UNLOAD = "/v2/repository/index", "/v2/repository/models/news/load", "/v2/repository/models/news/unload"


@pytest.fixture
def backend():
    return FakeBackend()


def client_of(backend, control):
    return TestClient(make_app(backend, control=control), raise_server_exceptions=False)


@pytest.fixture
def client(backend):
    return client_of(backend, Control(enabled=True, token=TOKEN))


@pytest.mark.parametrize("path", [INDEX, LOAD, UNLOAD])
def test_it_is_off_unless_the_server_was_told(backend, path):
    response = client_of(backend, Control(token=TOKEN)).post(path, headers=BEARER)
    assert (response.status_code, response.json()["code"]) == (403, "repository_control_off")
    assert backend.served["news"].state == "READY"


@pytest.mark.parametrize("path", [INDEX, LOAD, UNLOAD])
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", b"Bearer \xff"],
)  # fmt: skip
def test_without_the_token_nothing_happens(client, backend, path, header):
    response = client.post(path, headers={} if header is None else {"Authorization": header})
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert backend.served["news"].state == "READY"


def test_unload_and_load(client):
    asked = {"adapter": "news", "texts": ["a"]}
    assert client.post(UNLOAD, headers=BEARER).status_code == 200
    answer = client.post("/classify", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    ready = client.get("/v2/models/news/ready")
    assert (ready.status_code, ready.json()) == (503, {"code": "model_unavailable", "error": "'news' was unloaded."})
    states = {one["name"]: one["state"] for one in client.post(INDEX, headers=BEARER).json()}
    assert states == {"news": "UNAVAILABLE", "stars": "READY", "topics": "READY"}
    ready = client.post(INDEX, headers=BEARER, json={"ready": True}).json()
    assert [one["name"] for one in ready] == ["stars", "topics"]
    assert client.post(LOAD, headers=BEARER, json={}).status_code == 200
    assert client.post("/classify", json=asked).status_code == 200


def test_a_version_can_be_loaded(client, backend):
    assert client.post(LOAD, headers=BEARER, json={"parameters": {"version": "1"}}).status_code == 200
    assert backend.served["news"].latest == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[", "bad_json"), (b"[]", "bad_request"), (b'{"parameters": 1}', "bad_request"),
        (b'{"parameters": {"version": "one"}}', "bad_request"), (b'{"parameters": {"version": true}}', "bad_request"),
        (b'{"parameters": {"config": "{}"}}', "unsupported"), (b'{"parameters": {"file:x": "aGk="}}', "unsupported"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_so_is_refused(client, body, code):
    response = client.post(LOAD, headers=BEARER, content=body)
    assert (response.status_code, response.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("failure", "status"), [(OutOfSpace("full."), 507), (ModelUnavailable("it is cut off in the middle."), 422)]
)
def test_a_load_that_fails_says_why(client, backend, monkeypatch, failure, status):
    def load(name, version=None):
        raise failure

    monkeypatch.setattr(backend, "load", load)
    response = client.post(LOAD, headers=BEARER)
    assert (response.status_code, response.json()["error"]) == (status, str(failure))


def test_an_unknown_adapter_cannot_be_loaded(client):
    assert client.post(LOAD.replace("news", "newz"), headers=BEARER).status_code == 404


def test_without_a_token_no_page_in_a_browser_may_unload(backend):
    client = client_of(backend, Control(enabled=True))
    assert client.post(UNLOAD, headers={"Origin": "http://127.0.0.1:8080"}).json()["code"] == "forbidden"
    assert client.post(UNLOAD).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_server_that_all_can_reach_needs_a_token(host):
    with pytest.raises(ConfigurationError, match="give --token-file FILE or set COMPRESS_SERVE_TOKEN"):
        check_control(ServeOptions(host=host, control=Control(enabled=True)))
    check_control(ServeOptions(host=host, control=Control(enabled=True, token=TOKEN)))
    check_control(ServeOptions(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_a_token_is_not_needed(host):
    check_control(ServeOptions(host=host, control=Control(enabled=True)))


def test_the_token_is_read_from_the_file_first(tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token", "another token of length") == TOKEN
    assert read_token(None, f" {TOKEN} ") == TOKEN
    assert read_token(None, None) is None


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 5000, b"\xff" * 20, "ü".encode() * 20, b"a b\nc d" * 5])
def test_what_is_no_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"printable ASCII|cannot be read"):
        read_token(tmp_path / "token", None)


def test_a_token_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"--token-file .*none cannot be read"):
        read_token(tmp_path / "none", None)


def test_a_variable_that_is_set_but_empty_is_no_token():
    assert read_token(None, "") is None


def test_a_short_variable_is_refused_by_its_name():
    with pytest.raises(ConfigurationError, match=r"\$COMPRESS_SERVE_TOKEN: the token must have 16"):
        read_token(None, "short")
