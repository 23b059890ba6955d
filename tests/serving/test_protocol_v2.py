"""The Open Inference Protocol, without sockets: what is answered, what is refused, and that nothing is a 500."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from compress.inference.classifier import answer
from compress.serving.app import make_app
from compress.serving.binary_tensors import write_strings
from compress.serving.limits import Limits
from tests.serving.fake_backend import NEWS, STARS, FakeBackend, logits

INFER = "/v2/models/news/infer"
LENGTH = "Inference-Header-Content-Length"
BACKEND = FakeBackend()
CLIENT = TestClient(make_app(BACKEND, limits=Limits(texts=8)), raise_server_exceptions=False)


@pytest.fixture(autouse=True)
def _nothing_submitted():
    BACKEND.submitted.clear()


def text_input(*texts, **changes):
    return {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)} | changes


def numbers(name, data, **changes):
    return {"name": name, "datatype": "INT64", "shape": list(np.shape(data)), "data": data} | changes


def infer(*inputs, path=INFER, **rest):
    return CLIENT.post(path, json={"inputs": list(inputs), **rest})


def outputs(response):
    assert response.status_code == 200, response.text
    return {one["name"]: one for one in response.json()["outputs"]}


def is_refused(response, code, status=400):
    assert response.status_code == status, response.text
    said = response.json()
    assert said["code"] == code, said
    return said["error"]


def test_texts_give_logits_probabilities_and_labels():
    response = infer(text_input("a", "bc"), id="seven")
    said = response.json()
    assert (said["model_name"], said["model_version"], said["id"]) == ("news", "2", "seven")
    found, rows = outputs(response), [logits(NEWS, (97,)), logits(NEWS, (98, 99))]
    assert found["logits"]["shape"] == [2, 3]
    np.testing.assert_allclose(found["logits"]["data"], np.concatenate(rows))
    wanted = [answer(row, task=NEWS.task, labels=NEWS.labels) for row in rows]
    assert found["label"] == {"name": "label", "datatype": "BYTES", "shape": [2], "data": [one.label for one in wanted]}
    shares = [share for one in wanted for share in one.probabilities.values()]
    np.testing.assert_allclose(found["probabilities"]["data"], shares, rtol=1e-6)


def test_a_regression_gives_a_value():
    found = outputs(infer(text_input("abc"), path="/v2/models/stars/infer"))
    assert set(found) == {"logits", "value"}
    np.testing.assert_allclose(found["value"]["data"], logits(STARS, tuple(map(ord, "abc"))))


def test_a_version_in_the_path_answers():
    assert infer(text_input("a"), path="/v2/models/news/versions/1/infer").json()["model_version"] == "1"
    is_refused(infer(text_input("a"), path="/v2/models/news/versions/9/infer"), "unknown_version", 404)
    is_refused(infer(text_input("a"), path="/v2/models/newz/infer"), "unknown_model", 404)


@pytest.mark.parametrize("tensor", [text_input("a", "b", shape=[2, 1]), text_input(["a"], ["b"], shape=[2, 1])])
def test_a_column_of_texts_is_a_list_of_texts(tensor):
    infer(tensor)
    assert BACKEND.submitted == [("news", 2, [(97,), (98,)])]


def test_two_columns_of_texts_are_pairs():
    infer(text_input("a", "b", "c", "d", shape=[2, 2]))
    assert BACKEND.submitted == [("news", 2, [(97, 10, 98), (99, 10, 100)])]


def test_token_ids_are_rows_without_what_the_mask_hides():
    infer(numbers("attention_mask", [[1, 1, 1], [1, 0, 0]]), numbers("input_ids", [[5, 6, 7], [8, 0, 0]]))
    assert BACKEND.submitted == [("news", 2, [(5, 6, 7), (8,)])]


def test_token_types_travel_with_a_pair():
    infer(numbers("input_ids", [[5, 6, 7], [8, 9, 1]]), numbers("token_type_ids", [[0, 1, 1], [0, 0, 0]]))
    pair, plain = BACKEND.submitted[0][2]
    assert (pair, pair.types) == ((5, 6, 7), (0, 1, 1))
    assert type(plain) is tuple


def test_a_tensor_can_be_binary_in_and_out():
    raw = write_strings(["a", "é"])
    tensor = text_input("", shape=[2], parameters={"binary_data_size": len(raw)})
    del tensor["data"]
    header = json.dumps({"inputs": [tensor], "outputs": [
        {"name": "label", "parameters": {"binary_data": True}}, {"name": "logits"},
    ]}).encode()  # fmt: skip
    response = CLIENT.post(INFER, content=header + raw, headers={LENGTH: str(len(header))})
    assert BACKEND.submitted == [("news", 2, [(97,), (233,)])]
    length = int(response.headers[LENGTH])
    label, plain = json.loads(response.content[:length])["outputs"]
    assert response.content[length:] == write_strings(["sport", "sport"])
    assert label["parameters"] == {"binary_data_size": 18}
    assert len(plain["data"]) == 6


def test_only_the_outputs_that_are_asked_for_come_in_their_order():
    response = infer(text_input("a"), outputs=[{"name": "label"}, {"name": "logits"}])
    assert list(outputs(response)) == ["label", "logits"]


REFUSED = {
    "no inputs": ([], "bad_request"),
    "an unknown input": ([text_input("a", name="words")], "unknown_tensor"),
    "the same twice": ([text_input("a"), text_input("a")], "bad_tensor"),
    "texts and ids": ([text_input("a"), numbers("input_ids", [[1]])], "bad_tensor"),
    "a mask alone": ([numbers("attention_mask", [[1]])], "bad_tensor"),
    "texts as integers": ([text_input("a", datatype="INT64")], "bad_tensor"),
    "ids as 32 bits": ([numbers("input_ids", [[1]], datatype="INT32")], "bad_tensor"),
    "another shape": ([text_input("a", shape=[2])], "bad_tensor"),
    "an enormous shape": ([text_input("a", shape=[2**31, 2**31, 2**31, 2**31])], "bad_tensor"),
    "a shape beyond all": ([text_input("a", shape=[2**63])], "bad_request"),
    "a negative shape": ([text_input("a", shape=[-1])], "bad_request"),
    "no shape": ([text_input("a", shape=[])], "bad_request"),
    "a shape of fractions": ([text_input("a", shape=[1.5])], "bad_request"),
    "three columns": ([text_input("a", "b", "c", shape=[1, 3])], "bad_tensor"),
    "no texts": ([text_input()], "no_texts"),
    "no pairs": ([text_input(shape=[0, 2])], "no_texts"),
    "a NUL": ([text_input("a\0")], "bad_text"),
    "no data": ([text_input("a", data=None)], "bad_tensor"),
    "a number as text": ([text_input("a", data=[1])], "bad_tensor"),
    "ids in a row": ([numbers("input_ids", [1, 2])], "bad_tensor"),
    "no ids": ([numbers("input_ids", [], shape=[0, 3])], "bad_tensor"),
    "rows of nothing": ([numbers("input_ids", [], shape=[3, 0])], "bad_tensor"),
    "negative ids": ([numbers("input_ids", [[-1]])], "bad_row"),
    "ids beyond all": ([numbers("input_ids", [[2**64]])], "bad_tensor"),
    "ids below all": ([numbers("input_ids", [[-(2**63) - 1]])], "bad_tensor"),
    "ids that are true": ([numbers("input_ids", [[True]])], "bad_tensor"),
    "ids as text": ([numbers("input_ids", [["1"]])], "bad_tensor"),
    "too long": ([numbers("input_ids", [[1] * 17])], "bad_row"),
    "a mask of another shape": ([numbers("input_ids", [[1]]), numbers("attention_mask", [[1, 1]])], "bad_tensor"),
    "a mask with a hole": ([numbers("input_ids", [[1, 2]]), numbers("attention_mask", [[0, 1]])], "bad_tensor"),
    "a mask of nothing": ([numbers("input_ids", [[1, 2]]), numbers("attention_mask", [[0, 0]])], "bad_tensor"),
    "a mask of twos": ([numbers("input_ids", [[1, 2]]), numbers("attention_mask", [[2, 0]])], "bad_tensor"),
    "a mask beyond all": ([numbers("input_ids", [[1, 2]]), numbers("attention_mask", [[2**63 - 1, 2]])], "bad_tensor"),
    "types of three": ([numbers("input_ids", [[1]]), numbers("token_type_ids", [[3]])], "bad_tensor"),
    "shared memory": ([text_input("a", parameters={"shared_memory_region": "x"})], "unsupported"),
    "bytes that are not there": ([text_input("a", data=None, parameters={"binary_data_size": 5})], "bad_tensor"),
    "data twice": ([text_input("a", parameters={"binary_data_size": 0})], "bad_tensor"),
    "a size that is none": ([text_input("a", data=None, parameters={"binary_data_size": "5"})], "bad_tensor"),
    "a negative size": ([text_input("a", data=None, parameters={"binary_data_size": -5})], "bad_tensor"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_tensor_that_is_not_what_it_should_be_is_refused(name):
    inputs, code = REFUSED[name]
    is_refused(infer(*inputs), code)
    assert BACKEND.submitted == []


def test_too_many_texts_or_rows_are_refused():
    is_refused(infer(text_input(*"abcdefghi")), "too_many_texts", 413)
    is_refused(infer(numbers("input_ids", [[1]] * 9)), "too_many_texts", 413)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ([{"name": "softmax"}], "unknown_tensor"),
        ([{"name": "label", "parameters": {"classification": 2}}], "unsupported"),
        ([{"name": "label"}] * 17, "bad_request"),
        ([{}], "bad_request"),
    ],
)
def test_an_output_that_there_is_not_is_refused(wanted, code):
    is_refused(infer(text_input("a"), outputs=wanted), code)
    assert BACKEND.submitted == []


@pytest.mark.parametrize("timeout", ["1", -1, 1.5, True, 10**400])
def test_a_timeout_that_is_no_number_is_refused(timeout):
    is_refused(infer(text_input("a"), parameters={"timeout": timeout}), "bad_request")


@pytest.mark.parametrize("length", ["-1", "x", "99999", "1e3", "9" * 5000, "²"])
def test_a_header_length_that_does_not_fit_is_refused(length):
    headers = {LENGTH: length.encode("latin-1")}
    is_refused(CLIENT.post(INFER, content=b"{}", headers=headers), "bad_tensor")


def test_metadata_names_what_goes_in_and_comes_out():
    said = CLIENT.get("/v2/models/news").json()
    assert (said["name"], said["versions"]) == ("news", ["1", "2"])
    assert [one["name"] for one in said["inputs"]] == ["text", "input_ids", "attention_mask", "token_type_ids"]
    assert {"name": "logits", "datatype": "FP32", "shape": [-1, 3]} in said["outputs"]
    assert said["parameters"]["labels"] == list(NEWS.labels)
    described = {(one["name"], one["datatype"], len(one["shape"])) for one in said["outputs"]}
    given_back = outputs(infer(text_input("a"))).values()
    assert described == {(one["name"], one["datatype"], len(one["shape"])) for one in given_back}


def test_health_and_server_metadata():
    assert CLIENT.get("/v2/health/live").status_code == CLIENT.get("/v2/health/ready").status_code == 200
    assert CLIENT.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert CLIENT.get("/v2/models/news/versions/1/ready").json() == {"name": "news", "ready": True}
    is_refused(CLIENT.get("/v2/models/nobody/ready"), "unknown_model", 404)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.sampled_from(["text", "input_ids", "attention_mask", "token_type_ids"]) | ANY_JSON,
                    "datatype": st.sampled_from(["BYTES", "INT64"]) | ANY_JSON,
                    "shape": st.lists(st.integers(-1, 3), max_size=3) | ANY_JSON,
                    "data": st.lists(st.integers(-1, 9) | st.text(max_size=3), max_size=6) | ANY_JSON,
                    "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "x"]), ANY_JSON) | ANY_JSON,
                },
            ),
            max_size=3,
        )
        | ANY_JSON,
        "outputs": ANY_JSON,
        "parameters": st.dictionaries(st.sampled_from(["timeout", "binary_data_output"]), ANY_JSON) | ANY_JSON,
        "id": ANY_JSON,
        "adapter": st.just("news") | ANY_JSON,
        "texts": st.lists(st.text(max_size=5), max_size=3) | ANY_JSON,
    },
)


def is_answered_or_refused(response):
    if response.status_code != 200:
        assert 400 <= response.status_code < 500, response.text
        said = response.json()
        assert set(said) <= {"error", "code", "near"}
        assert said["code"]


@settings(max_examples=150, deadline=None)
@given(NEARLY | ANY_JSON, st.sampled_from([INFER, "/classify"]))
def test_any_json_is_answered_or_refused_and_never_a_500(content, path):
    is_answered_or_refused(CLIENT.post(path, content=json.dumps(content).encode()))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.none() | st.integers(-1, 250), st.sampled_from([INFER, "/classify"]))
def test_any_bytes_are_refused_and_never_a_500(body, length, path):
    response = CLIENT.post(path, content=body, headers={} if length is None else {LENGTH: str(length)})
    assert response.status_code == 400
    is_answered_or_refused(response)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(-1, 70), st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_any_binary_tensor_is_answered_or_refused_and_never_a_500(raw, size, shape):
    tensor = {"name": "text", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": size}}
    header = json.dumps({"inputs": [tensor]}).encode()
    is_answered_or_refused(CLIENT.post(INFER, content=header + raw, headers={LENGTH: str(len(header))}))
