"""An unchanged `tritonclient.http` against a real server."""

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from compress.inference.classifier import answer
from compress.serving.repository import Control
from tests.serving.fake_backend import NEWS, FakeBackend, logits
from tests.serving.live import running

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def port():
    with running(FakeBackend(), control=Control(enabled=True, token=TOKEN)) as port:
        yield port


@pytest.fixture
def triton(port):
    with InferenceServerClient(f"127.0.0.1:{port}") as client:
        yield client


def texts(*values, binary=True):
    tensor = InferInput("text", [len(values)], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode() for value in values], dtype=object), binary_data=binary)
    return tensor


def ids(name, rows, binary=True):
    array = np.array(rows, dtype=np.int64)
    tensor = InferInput(name, list(array.shape), "INT64")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def test_health_and_metadata(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("news")
    assert triton.is_model_ready("news", "1")
    assert not triton.is_model_ready("newz")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_repository"]
    assert triton.get_model_metadata("news")["versions"] == ["1", "2"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_texts_in_and_tensors_out(triton, binary_in, binary_out):
    wanted = [InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "probabilities", "logits")]
    result = triton.infer("news", [texts("a", "bé", binary=binary_in)], outputs=wanted, request_id="7")
    rows = [logits(NEWS, (97,)), logits(NEWS, (98, 233))]
    answers = [answer(row, task=NEWS.task, labels=NEWS.labels) for row in rows]
    np.testing.assert_allclose(result.as_numpy("logits"), rows, rtol=1e-6)
    shares = [list(one.probabilities.values()) for one in answers]
    np.testing.assert_allclose(result.as_numpy("probabilities"), shares, rtol=1e-6)
    labels = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("label")]
    assert labels == [one.label for one in answers]
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("binary", [True, False])
def test_token_ids_in_and_all_outputs_when_none_is_named(triton, binary):
    inputs = [ids("input_ids", [[5, 6], [7, 0]], binary), ids("attention_mask", [[1, 1], [1, 0]], binary)]
    result = triton.infer("news", inputs, model_version="1")
    np.testing.assert_allclose(result.as_numpy("logits"), [logits(NEWS, (5, 6)), logits(NEWS, (7,))])
    assert result.as_numpy("label").shape == (2,)
    assert result.get_response()["model_version"] == "1"


def test_requests_at_once(triton):
    with_many = [triton.async_infer("news", [texts(letter)]) for letter in "abcdef"]
    for letter, pending in zip("abcdef", with_many, strict=True):
        np.testing.assert_allclose(pending.get_result().as_numpy("logits"), [logits(NEWS, (ord(letter),))])


def test_an_error_is_a_sentence_and_a_status(triton):
    with pytest.raises(InferenceServerException, match="did you mean 'news'") as caught:
        triton.infer("newz", [texts("a")])
    assert caught.value.status() == "404"
    with pytest.raises(InferenceServerException, match="the body is encoded as 'gzip'"):
        triton.infer("news", [texts("a")], request_compression_algorithm="gzip")


def test_a_timeout_in_microseconds_is_taken(triton):
    assert triton.infer("news", [texts("a")], timeout=5_000_000).as_numpy("label").tolist() == [b"sport"]


def test_the_repository_needs_the_token(triton):
    with pytest.raises(InferenceServerException, match="Authorization"):
        triton.unload_model("stars")
    assert {one["name"] for one in triton.get_model_repository_index(headers=BEARER)} == {"news", "stars", "topics"}
    triton.unload_model("stars", headers=BEARER)
    assert not triton.is_model_ready("stars")
    triton.load_model("stars", headers=BEARER)
    assert triton.is_model_ready("stars")
