"""A bundle that is served answers as the same bundle does offline."""

import time
from pathlib import Path

import numpy as np
import pytest

from compress.errors import ConfigurationError
from compress.exporting.folder import write_bundle
from compress.inference.classifier import load_bundle
from compress.serving.backend import BadRow, ModelUnavailable, UnknownModel, UnknownVersion
from compress.serving.bundle_backend import name_of, open_bundle
from compress.serving.model import prediction
from tests.tiny import tiny_onnx, tiny_texts

FAR = time.monotonic() + 3600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    target = root / "my pipeline" / "bundle"
    target.mkdir(parents=True)
    write_bundle(tiny_onnx(root / "onnx"), target, task="text-classification", max_length=32)
    return target


@pytest.fixture
def backend(folder):
    backend = open_bundle(folder, threads=1)
    yield backend
    backend.stop()


def test_the_answers_are_those_of_the_offline_bundle(folder, backend):
    texts, _ = tiny_texts(rows=12)
    texts += ["", ("goal", "match"), "word " * 500]
    facts = backend.find("my-pipeline")
    rows = [backend.encode(facts, text) for text in texts]
    for logits, offline in zip(
        backend.submit(facts, rows, deadline=FAR).result(60), load_bundle(folder).predict(texts), strict=True
    ):
        served = prediction(facts, logits)
        assert served.label == offline.label
        assert served.probabilities == pytest.approx(offline.probabilities, abs=1e-5)
    said = backend.statistics()
    assert (said.rows, said.slots, said.loads) == (15, 0, 0)
    assert said.batches < 15
    assert said.tokens / said.padded_tokens >= 0.85


def test_the_facts_are_the_bundle_s(backend):
    facts = backend.models()[0]
    assert (facts.name, facts.version, facts.versions, facts.latest) == ("my-pipeline", 1, (1,), 1)
    assert (facts.labels, facts.max_length) == (("class_0", "class_1", "class_2"), 32)
    assert backend.find("my-pipeline", "1") == facts
    assert (backend.title, backend.kind) == ("my-pipeline", "bundle")


def test_another_name_or_version_is_unknown(backend):
    with pytest.raises(UnknownModel, match="did you mean 'my-pipeline'"):
        backend.find("my-pipelin")
    with pytest.raises(UnknownVersion, match="it has 1"):
        backend.find("my-pipeline", "2")


def test_ids_outside_the_vocabulary_are_refused(backend):
    with pytest.raises(BadRow, match="row 0 has the token id 100000"):
        backend.submit(backend.models()[0], [(100_000,)], deadline=FAR)


def test_an_unloaded_bundle_is_refused_until_it_is_loaded(backend):
    backend.unload("my-pipeline")
    with pytest.raises(ModelUnavailable, match="'my-pipeline' was unloaded"):
        backend.submit(backend.find("my-pipeline"), [(1,)], deadline=FAR)
    backend.load("my-pipeline")
    assert len(backend.submit(backend.find("my-pipeline"), [(1,)], deadline=FAR).result(30)) == 1
    assert backend.drain(30)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is not a bundle"):
        open_bundle(tmp_path, threads=1)


@pytest.mark.parametrize(
    ("path", "name"),
    [("runs/news/bundle", "news"), ("runs/news/mine", "mine"), ("a/über uns/bundle", "ber-uns"), ("/bundle", "bundle")],
)
def test_a_bundle_is_called_by_its_folder_or_its_pipeline(path, name):
    assert name_of(Path(path)) == name


def test_logits_are_float32_of_all_labels(backend):
    logits = backend.submit(backend.models()[0], [(2, 3)], deadline=FAR).result(30)[0]
    assert (logits.dtype, logits.shape) == (np.float32, (3,))
