"""The client of forty lines against a real server."""

import inspect
from pathlib import Path

import pytest

from compress.serving.client import Client, ServerProblem
from tests.serving.fake_backend import FakeBackend
from tests.serving.live import running


@pytest.fixture(scope="module")
def client():
    with running(FakeBackend()) as port:
        yield Client(f"http://127.0.0.1:{port}/")


def test_it_has_forty_lines():
    assert len(Path(inspect.getfile(Client)).read_text().splitlines()) <= 40


def test_texts_are_classified(client):
    said = client.classify(["a", "é"], adapter="news", version=1)
    assert (said["adapter"], said["version"], said["labels"]) == ("news", 1, ["sport", "sport"])


def test_models_are_listed(client):
    assert [one["name"] for one in client.models()] == ["news", "stars", "topics"]


def test_a_refusal_is_an_error_with_its_code(client):
    with pytest.raises(ServerProblem, match="did you mean 'news'") as caught:
        client.classify(["a"], adapter="newz")
    assert (caught.value.status, caught.value.code) == (404, "unknown_model")
