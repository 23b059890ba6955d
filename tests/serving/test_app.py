"""Every path of the application, without sockets."""

import asyncio
import errno
import io
import json
import re
import time

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from compress.errors import AdapterError
from compress.inference.classifier import answer
from compress.serving.access_log import access_log
from compress.serving.admission import Admission
from compress.serving.app import make_app
from compress.serving.backend import AnswerFailed, ModelUnavailable, OutOfSpace
from compress.serving.limits import Limits
from tests.serving.fake_backend import NEWS, QUEUE_FULL, STARS, TOPICS, FakeBackend, logits


@pytest.fixture
def backend():
    return FakeBackend()


def client_of(backend, **options):
    return TestClient(make_app(backend, **options), raise_server_exceptions=False)


@pytest.fixture
def client(backend):
    return client_of(backend)


def expected(facts, text):
    row = tuple(map(ord, text))
    return answer(logits(facts, row), task=facts.task, labels=facts.labels)


def is_problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    said = response.json()
    assert said["code"] == code, said
    assert re.search(r"\.$|\?$", said["error"]), said
    return said["error"]


def test_classify_answers_each_text_in_order(client):
    response = client.post("/classify", json={"adapter": "news", "texts": ["a", "bc"]})
    assert response.status_code == 200
    said = response.json()
    assert {key: said[key] for key in ("adapter", "version")} == {"adapter": "news", "version": 2}
    wanted = [expected(NEWS, "a"), expected(NEWS, "bc")]
    assert said["labels"] == [one.label for one in wanted]
    assert said["probabilities"] == [pytest.approx(one.probabilities) for one in wanted]
    assert 0 < said["latency_ms"] < 1000


@pytest.mark.parametrize("version", [1, "1"])
def test_a_version_can_be_named(client, backend, version):
    response = client.post("/classify", json={"adapter": "news", "version": version, "texts": ["a"]})
    assert response.json()["version"] == 1
    assert backend.submitted == [("news", 1, [(97,)])]


def test_several_labels_a_text_are_listed(client):
    said = client.post("/classify", json={"adapter": "topics", "texts": ["abc"]}).json()
    assert said["applying"] == [list(expected(TOPICS, "abc").labels)]
    assert said["labels"] == ["dogs"]


def test_a_regression_answers_numbers(backend):
    client = client_of(backend)
    said = client.post("/classify", json={"adapter": "stars", "texts": ["abc"]}).json()
    assert said["values"] == [expected(STARS, "abc").value]
    assert said["labels"] == said["probabilities"] == []


def test_pairs_of_texts_go_in_together(client, backend):
    client.post("/classify", json={"adapter": "news", "texts": [["a", "b"]]})
    assert backend.submitted == [("news", 2, [(97, 10, 98)])]


def test_a_bundle_needs_no_name():
    client = client_of(FakeBackend(NEWS, kind="bundle"))
    assert client.post("/classify", json={"texts": ["a"]}).json()["adapter"] == "news"


def test_a_set_needs_a_name(client):
    assert "GET /v1/models lists them" in is_problem(client.post("/classify", json={"texts": ["a"]}), 400, "no_adapter")


def test_an_unknown_adapter_names_near_ones(client):
    response = client.post("/classify", json={"adapter": "newz", "texts": ["a"]})
    assert "did you mean 'news'?" in is_problem(response, 404, "unknown_model")
    assert response.json()["near"] == ["news"]


@pytest.mark.parametrize("name", ["../news", "a/b", "..", "\u0000", "x" * 10_000, ""])
def test_a_name_that_is_no_name_is_not_found(client, name):
    is_problem(client.post("/classify", json={"adapter": name, "texts": ["a"]}), 404, "unknown_model")


def test_an_unknown_version_names_those_there_are(client):
    response = client.post("/classify", json={"adapter": "news", "version": 7, "texts": ["a"]})
    assert "it has 1, 2" in is_problem(response, 404, "unknown_version")


BAD_BODIES = {
    "nothing": (b"", "bad_json"),
    "no JSON": (b"{", "bad_json"),
    "no UTF-8": (b'{"adapter": "news", "texts": ["\xff"]}', "bad_json"),
    "a lone surrogate": (b'{"adapter": "news", "texts": ["\\ud800"]}', "bad_json"),
    "deep": (b"[" * 100_000, "bad_json"),
    "a list": (b"[]", "bad_request"),
    "no texts": (b'{"adapter": "news"}', "bad_request"),
    "an empty list": (b'{"adapter": "news", "texts": []}', "no_texts"),
    "a number": (b'{"adapter": "news", "texts": [1]}', "bad_request"),
    "a text for texts": (b'{"adapter": "news", "texts": "a"}', "bad_request"),
    "three in a pair": (b'{"adapter": "news", "texts": [["a", "b", "c"]]}', "bad_request"),
    "a key without end": (b'{"adapter": "news", "texts": ["a"], "' + b"x" * 10_000 + b'": 1}', "bad_request"),
    "an unknown key": (b'{"adapter": "news", "texts": ["a"], "temperature": 1}', "bad_request"),
    "a NUL": (b'{"adapter": "news", "texts": ["a\\u0000"]}', "bad_text"),
    "a NUL in a pair": (b'{"adapter": "news", "texts": [["a", "\\u0000"]]}', "bad_text"),
    "a true version": (b'{"adapter": "news", "version": true, "texts": ["a"]}', "bad_request"),
    "no time": (b'{"adapter": "news", "timeout_ms": 0, "texts": ["a"]}', "bad_request"),
    "endless time": (b'{"adapter": "news", "timeout_ms": NaN, "texts": ["a"]}', "bad_request"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_what_is_no_request_is_refused(client, backend, name):
    body, code = BAD_BODIES[name]
    assert len(is_problem(client.post("/classify", content=body), 400, code)) < 400
    assert backend.submitted == []


def test_bounds_are_said_before_any_work(backend):
    client = client_of(backend, limits=Limits(body_bytes=100, texts=2, characters=5))
    is_problem(client.post("/classify", json={"adapter": "news", "texts": ["a"] * 3}), 413, "too_many_texts")
    is_problem(client.post("/classify", json={"adapter": "news", "texts": ["a" * 6]}), 413, "text_too_long")
    is_problem(client.post("/classify", content=b"x" * 101), 413, "body_too_large")
    is_problem(client.post("/classify", content=iter([b"x" * 60, b"x" * 60])), 413, "body_too_large")  # no length
    is_problem(client.post("/classify", content=b"x", headers={"content-encoding": "gzip"}), 415, "compressed_body")
    assert backend.submitted == []
    assert client.post("/classify", json={"adapter": "news", "texts": ["a" * 5] * 2}).status_code == 200


def test_all_bodies_together_have_a_bound(backend):
    client = client_of(backend, limits=Limits(all_bodies_bytes=10))
    response = client.post("/classify", json={"adapter": "news", "texts": ["a"]})
    is_problem(response, 503, "too_busy")
    assert client.post("/classify", content=b"{}").status_code == 400  # what was held is free again


def test_a_full_queue_says_when_to_come_again(client, backend):
    backend.failure = QUEUE_FULL
    response = client.post("/classify", json={"adapter": "news", "texts": ["a"]})
    is_problem(response, 503, "queue_full")
    assert response.headers["retry-after"] == "2"  # 1.2 s, rounded up


@pytest.mark.parametrize("path", ["/classify", "/v2/models/news/infer"])
def test_a_deadline_that_has_passed_is_a_504(path):
    client = client_of(FakeBackend(seconds=0.4), limits=Limits(deadline_ms=50))
    bodies = {
        "/classify": {"adapter": "news", "texts": ["a"]},
        "/v2/models/news/infer": {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]},
    }
    is_problem(client.post(path, json=bodies[path]), 504, "deadline_exceeded")


def test_a_request_can_ask_for_less_time_but_not_for_more():
    client = client_of(FakeBackend(seconds=0.2), limits=Limits(deadline_ms=5000))
    short = {"adapter": "news", "texts": ["a"], "timeout_ms": 20}
    is_problem(client.post("/classify", json=short), 504, "deadline_exceeded")
    assert client.post("/classify", json=short | {"timeout_ms": 1e12}).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (OutOfSpace("the server has no space left for 'news'."), 507, "out_of_space"),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), 507, "out_of_space"),
        (OSError(errno.EIO, "Input/output error", "/secret/place"), 500, "internal_error"),
        (ModelUnavailable("its files cannot be used."), 503, "model_unavailable"),
        (AnswerFailed("the answer was not a number."), 500, "answer_failed"),
        (AdapterError("/secret/place is damaged"), 500, "internal_error"),
        (ZeroDivisionError("/secret/place"), 500, "internal_error"),
    ],
)
def test_a_failure_is_json_without_a_trace(client, backend, failure, status, code):
    backend.failure = failure
    response = client.post("/classify", json={"adapter": "news", "texts": ["a"]})
    is_problem(response, status, code)
    assert "Traceback" not in response.text
    assert "secret" not in response.text


def test_a_failure_is_logged(client, backend, caplog):
    backend.failure = OSError(errno.ENOSPC, "No space left on device", "/place")
    client.post("/classify", json={"adapter": "news", "texts": ["a"]})
    assert "No space left on device" in caplog.text
    assert "Traceback" in caplog.text


def test_a_long_text_is_encoded_all_the_same(client, backend):
    client.post("/classify", json={"adapter": "news", "texts": ["é" * 5000]})
    assert backend.submitted == [("news", 2, [(233,) * 16])]


class Encoding(FakeBackend):
    """Takes its time to encode, and counts how often it was asked to."""

    encoded = 0

    def encode(self, facts, text):
        self.encoded += 1
        time.sleep(0.5)
        return super().encode(facts, text)


LONG = {"adapter": "news", "texts": ["a" * 5000]}


def asked_at_once(backend, times, **options):
    """The answers to some long texts, all asked in one moment."""

    async def ask():
        app = httpx.ASGITransport(make_app(backend, **options))
        async with httpx.AsyncClient(transport=app, base_url="http://server") as client:
            return await asyncio.gather(*(client.post("/classify", json=LONG) for _ in range(times)))

    return asyncio.run(ask())


def test_a_long_text_that_waits_to_be_encoded_has_a_deadline_too():
    backend = Encoding()
    started = time.monotonic()
    answers = asked_at_once(backend, 6, limits=Limits(deadline_ms=750))
    assert time.monotonic() - started < 2  # all of them one after another take 3 s
    assert sorted(one.status_code for one in answers) == [200, 504, 504, 504, 504, 504]
    assert backend.encoded == 2  # the others were not even begun


def test_long_texts_that_wait_to_be_encoded_have_a_bound():
    answers = asked_at_once(Encoding(), 3, limits=Limits(all_bodies_bytes=11_000))
    assert sorted(one.status_code for one in answers) == [200, 200, 503]
    is_problem(next(one for one in answers if one.status_code == 503), 503, "too_busy")


def test_models_are_listed(client):
    said = client.get("/v1/models").json()
    assert said["kind"] == "set"
    assert [one["name"] for one in said["models"]] == ["news", "stars", "topics"]
    assert said["models"][0] == {
        "name": "news", "version": 2, "versions": [1, 2], "task": "text-classification",
        "labels": ["business", "politics", "sport"], "max_length": 16, "state": "READY", "reason": "",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/nothing", "/v2/models/", "/classify/", "/docs/../../etc/passwd", "/v2/models/a/b"])
def test_an_unknown_path_is_json_too(client, path):
    is_problem(client.get(path), 404, "unknown_path")


def test_a_wrong_method_names_the_right_one(client):
    response = client.get("/classify")
    assert "possible: POST" in is_problem(response, 405, "wrong_method")
    assert response.headers["allow"] == "POST"


def test_a_server_that_stops_is_not_ready_and_takes_nothing(backend):
    admission = Admission()
    client = client_of(backend, admission=admission)
    assert client.get("/v2/health/ready").json() == {"ready": True}
    admission.close()
    response = client.get("/v2/health/ready")
    is_problem(response, 503, "draining")
    assert response.headers["connection"] == "close"
    is_problem(client.post("/classify", json={"adapter": "news", "texts": ["a"]}), 503, "draining")
    assert client.get("/v2/health/live").status_code == 200
    assert admission.in_flight == 0


def test_a_server_that_can_answer_nothing_any_more_is_neither_ready_nor_alive(client, backend):
    backend.broken = True
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/news/ready"):
        assert "has to be started again" in is_problem(client.get(path), 503, "broken")


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/news/ready",
                                  "/v2/models/news/versions/1/ready"])  # fmt: skip
def test_whoever_only_looks_at_the_status_may_ask_with_head(client, backend, path):
    assert client.head(path).status_code == client.get(path).status_code == 200
    backend.broken = True
    assert client.head(path).status_code == 503
    assert path.replace("news", "{name}").replace("1/", "{version}/") in client.get("/openapi.json").json()["paths"]


def test_metrics_count_requests_by_route_and_status(client, backend):
    for adapter in ("news", "newz", "stars"):
        client.post("/classify", json={"adapter": adapter, "texts": ["a"]})
    for name in range(50):
        client.get(f"/made/up/{name}")
        client.get(f"/v2/models/m{name}")
    families = {one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)}
    counts = {(one.labels["route"], one.labels["status"]): one.value
              for one in families["compress_requests"].samples if one.name.endswith("_total")}  # fmt: skip
    assert counts == {
        ("/classify", "200"): 2, ("/classify", "404"): 1, ("other", "404"): 50, ("/v2/models/{name}", "404"): 50,
    }  # fmt: skip
    seconds = {one.labels["route"]: one.value for one in families["compress_request_seconds"].samples
               if one.name.endswith("_count")}  # fmt: skip
    assert seconds == {"/classify": 3, "other": 50, "/v2/models/{name}": 50}
    now = backend.statistics()
    assert families["compress_queue_rows"].samples[0].value == now.waiting
    assert families["compress_batches"].samples[0].value == now.batches
    assert families["compress_slots_used"].samples[0].value == now.slots_used
    assert families["compress_requests_in_flight"].samples[0].value == 1  # this one


def test_metrics_have_the_sizes_of_batches(client, backend):
    families = {one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)}
    histogram = families["compress_batch_rows"]
    assert histogram.type == "histogram"
    buckets = {one.labels["le"]: one.value for one in histogram.samples if one.name.endswith("_bucket")}
    assert buckets == {
        "1.0": 1, "2.0": 1, "4.0": 3, "8.0": 4, "16.0": 4, "32.0": 5, "64.0": 5, "128.0": 5, "+Inf": 5,
    }  # fmt: skip
    now = backend.statistics()
    rest = {one.name: one.value for one in histogram.samples if not one.labels}
    assert rest == {"compress_batch_rows_count": now.batches, "compress_batch_rows_sum": now.rows + now.failed}


def test_the_access_log_has_a_line_a_request_and_no_text():
    stream = io.StringIO()
    client = client_of(FakeBackend(), log=access_log(stream))
    client.post("/classify", json={"adapter": "news", "texts": ["secret"]}, headers={"Authorization": "Bearer secret"})
    client.get("/nothing%0A%7B%7D" + "x" * 500)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert "secret" not in stream.getvalue()
    assert {key: first[key] for key in ("method", "path", "adapter", "status")} == {
        "method": "POST", "path": "/classify", "adapter": "news", "status": 200,
    }  # fmt: skip
    assert 0 < first["ms"] < 1000
    assert (second["status"], second["adapter"], len(second["path"])) == (404, None, 200)


class Unread(io.StringIO):
    def flush(self):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_log_that_nobody_reads_any_more_harms_no_request(caplog):
    client = client_of(FakeBackend(), log=access_log(Unread()))
    assert [client.get("/v2/health/live").status_code for _ in range(3)] == [200] * 3
    assert caplog.text.count("cannot be written any more") == 1


def test_every_reference_of_the_openapi_description_leads_somewhere(client):
    said = client.get("/openapi.json").json()
    references = re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(said))
    assert {"ClassifyAnswer", "ProblemBody", "Tensor"} <= set(references)
    assert set(references) <= set(said["components"]["schemas"])
    assert "$defs" not in json.dumps(said)


def test_the_example_of_the_description_is_answered(client):
    operations = client.get("/openapi.json").json()["paths"]
    for path in ("/classify", "/v2/models/{name}/infer"):
        example = operations[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path.replace("{name}", "news"), json=example).status_code == 200


def test_an_answer_is_what_the_description_says(client):
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ClassifyAnswer"]["properties"]
    for adapter in ("news", "topics", "stars"):
        said = client.post("/classify", json={"adapter": adapter, "texts": ["a"]}).json()
        assert set(said) <= set(schema)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_needs_nothing_else_and_escapes_its_title(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert "A &lt;fake&gt; &amp; small set" in response.text
    assert "<fake>" not in response.text
    assert "{{" not in response.text
    assert re.findall(r'(?:src|href)="(?!/|#|data:,)', response.text) == []
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_every_described_path_is_documented(client):
    page, paths = client.get("/docs").text, client.get("/openapi.json").json()["paths"]
    assert all(f"<code>{path}</code>" in page for path in paths)


def test_probabilities_are_those_of_the_offline_classifier(client):
    said = client.post("/classify", json={"adapter": "news", "texts": ["xyz"]}).json()
    row = logits(NEWS, tuple(map(ord, "xyz")))
    shares = np.exp(row.astype(float)) / np.exp(row.astype(float)).sum()
    assert list(said["probabilities"][0].values()) == pytest.approx(shares.tolist())
