"""`compress serve` as a user meets it: a real set and a real bundle, in a process without torch."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput
from typer.testing import CliRunner

from compress.cli import app
from compress.exporting.folder import write_bundle
from compress.inference.classifier import answer, load_bundle
from compress.serving.client import Client, ServerProblem
from tests.exporting.adapters.sets import TEXTS
from tests.serving.live import request
from tests.serving.test_real_set import NAMES, published
from tests.test_cli import BLOCK, HEAVY, RUN, compress
from tests.tiny import tiny_onnx

TOKEN = "0123456789abcdef"
UNLOAD = "/v2/repository/models/news/unload"


@contextmanager
def served(folder, *options, environ=None):
    """The process and its port."""
    code = BLOCK.format(names=HEAVY) + RUN
    command = [sys.executable, "-c", code, "serve", str(folder), "--port", "0", "--threads", "1", *options]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", **(environ or {})}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables) as process:
        try:
            line = process.stderr.readline().strip()
            found = re.search(r"^ready: .* at http://127\.0\.0\.1:(\d+)$", line)
            assert found, line + process.stderr.read()
            yield process, int(found[1])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return published(tmp_path_factory.mktemp("sets") / "set")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    source, target = tiny_onnx(folder / "onnx"), folder / "bundle"
    target.mkdir()
    write_bundle(source, target, task="text-classification", max_length=32)
    return target


def test_a_set_answers_as_peft_does_and_ends_with_0(made):
    with served(made.folder, "--access-log") as (process, port):
        client = Client(f"http://127.0.0.1:{port}")
        models = {one["name"]: one for one in client.models()}
        assert set(models) == set(NAMES)
        said = client.classify(TEXTS, adapter="news")
        task, labels = models["news"]["task"], models["news"]["labels"]
        for text, shares in zip(TEXTS, said["probabilities"], strict=True):
            logits = made.reference(1).predict(made.encoder.encode([text]))["logits"][0]
            assert shares == pytest.approx(answer(logits, task=task, labels=labels).probabilities, abs=1e-5)
        with pytest.raises(ServerProblem, match="did you mean 'news'"):
            client.classify(["a"], adapter="newz")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert [json.loads(line)["status"] for line in process.stdout.read().splitlines()] == [200, 200, 404]
        assert "Traceback" not in process.stderr.read()


def test_token_ids_go_through_tritonclient_and_bad_ones_harm_nobody(made):
    with served(made.folder) as (_, port), InferenceServerClient(f"127.0.0.1:{port}") as triton:
        ids = made.encoder.encode(TEXTS[:1])["input_ids"]
        tensor = InferInput("input_ids", list(ids.shape), "INT64")
        result = triton.infer("news", [tensor.set_data_from_numpy(ids)])
        wanted = made.reference(1).predict(made.encoder.encode(TEXTS[:1]))["logits"]
        np.testing.assert_allclose(result.as_numpy("logits"), wanted, atol=2e-5)
        for row in ([10**9], [-1], [1] * 5000):
            body = {"inputs": [{"name": "input_ids", "datatype": "INT64", "shape": [1, len(row)], "data": row}]}
            status, _, content = request(port, "POST", "/v2/models/news/infer", json.dumps(body))
            assert (status, json.loads(content)["code"]) == (400, "bad_row")
        assert triton.infer("news", [tensor]).as_numpy("logits").tolist() == result.as_numpy("logits").tolist()


def test_a_bundle_answers_as_predict_does(bundle):
    wanted = [one.probabilities for one in load_bundle(bundle, threads=1).predict(TEXTS)]
    with served(bundle) as (_, port):
        said = Client(f"http://127.0.0.1:{port}").classify(TEXTS)
        assert said["probabilities"] == [pytest.approx(shares, abs=1e-6) for shares in wanted]


def test_load_and_unload_take_the_token_of_the_environment(made):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with served(made.folder, "--repository-control", environ={"COMPRESS_SERVE_TOKEN": TOKEN}) as (_, port):
        assert request(port, "POST", UNLOAD)[0] == 401
        assert request(port, "POST", UNLOAD, headers=bearer)[0] == 200
        assert request(port, "GET", "/v2/models/news/ready")[0] == 503
        assert request(port, "POST", UNLOAD.replace("unload", "load"), headers=bearer)[0] == 200
        assert request(port, "GET", "/v2/models/news/ready")[0] == 200


@pytest.mark.parametrize("option", ["--drain-seconds", "--deadline-ms"])
@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_a_time_without_end_is_refused(option, value):
    asked = CliRunner().invoke(app, ["serve", ".", f"{option}={value}"])
    assert asked.exit_code == 2, asked.output
    assert option in asked.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "'nowhere' is not a folder"),
        (["."], "is not a bundle: it has no"),
        (["."], "Nor does it have adapter_set.json: a set is what the step `adapter_set` makes"),
        ([".", "--host", "0.0.0.0", "--repository-control"], "give --token-file FILE or set COMPRESS_SERVE_TOKEN"),
        ([".", "--repository-control", "--token-file", "none"], "--token-file none cannot be read"),
        ([".", "--host", "no.such.host.invalid"], "is no address"),
        ([".", "--queue", "0"], "'--queue'"),
        ([".", "--port", "70000"], "'--port'"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path, arguments, message):
    asked = compress("serve", "--port", "0", *arguments, cwd=tmp_path)
    assert asked.returncode == 2, asked.stderr
    assert message in " ".join(asked.stderr.split())
    assert "Traceback" not in asked.stderr
