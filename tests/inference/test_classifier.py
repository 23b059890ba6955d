import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from compress.errors import ConfigurationError
from compress.exporting.folder import write_bundle
from compress.inference.classifier import Prediction, answer, load_bundle
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from tests.tiny import tiny_onnx, tiny_texts

LABELS = ("a", "b", "c")


@pytest.fixture
def bundle(tmp_path):
    source, target = tiny_onnx(tmp_path / "onnx"), tmp_path / "bundle"
    target.mkdir()
    write_bundle(source, target, task="text-classification", max_length=32)
    return target


def test_predicts_the_softmax_of_the_graph_s_logits(bundle):
    texts, _ = tiny_texts(rows=5)
    encoder, predictor = TextEncoder.load(bundle, max_length=32), open_onnx(bundle, threads=1)
    for text, prediction in zip(texts, load_bundle(bundle, threads=1).predict(texts), strict=True):
        logits = predictor.predict(encoder.encode([text]))["logits"][0]
        wanted = np.exp(logits) / np.exp(logits).sum()
        assert list(prediction.probabilities) == ["class_0", "class_1", "class_2"]
        np.testing.assert_allclose(list(prediction.probabilities.values()), wanted, atol=1e-6)
        assert prediction.label == f"class_{logits.argmax()}"
        assert prediction.labels == (prediction.label,)
        assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_batches_give_the_same_in_the_same_order(bundle):
    texts, _ = tiny_texts(rows=7)
    classifier = load_bundle(bundle)
    for one, other in zip(classifier.predict(texts), classifier.predict(texts, batch_size=3), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_long_empty_and_paired_texts_are_answered(bundle):
    classifier = load_bundle(bundle)
    assert len(classifier.predict(["word " * 5_000, "", ("goal", "match")])) == 3
    assert classifier.predict([]) == []


@pytest.mark.parametrize(("texts", "message"), [("one", "needs a list of texts, not a str"), ([1], "text 0 is a int")])
def test_what_is_no_list_of_texts_is_refused(bundle, texts, message):
    with pytest.raises(ConfigurationError, match=message):
        load_bundle(bundle).predict(texts)


def test_several_labels_apply_above_one_half_each_on_its_own():
    found = answer(np.array([2.0, 0.1, -3.0], dtype=np.float32), task="multi-label-classification", labels=LABELS)
    assert found.labels == ("a", "b")
    assert found.label == "a"
    assert found.probabilities == pytest.approx({"a": 0.880797, "b": 0.524979, "c": 0.047426}, abs=1e-5)


def test_regression_is_a_number():
    assert answer(np.array([1.5]), task="text-regression", labels=("value",)) == Prediction(None, {}, (), 1.5)


def test_huge_logits_are_no_trouble():
    found = answer(np.array([1e4, 0.0, -1e4]), task="text-classification", labels=LABELS)
    assert found.probabilities == {"a": 1.0, "b": 0.0, "c": 0.0}


def test_labels_and_graph_of_different_makes_are_refused(bundle):
    config = json.loads((bundle / "config.json").read_text())
    config["id2label"] = {"0": "a", "1": "b"}
    (bundle / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=r"model\.onnx answers 3 logits and config\.json names 2 labels"):
        load_bundle(bundle)


def test_a_damaged_graph_is_a_damaged_bundle(bundle):
    (bundle / "model.onnx").unlink()  # it may be a link: do not write through it
    (bundle / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ConfigurationError, match="is damaged"):
        load_bundle(bundle)


def test_a_whole_process_is_quick_and_imports_nothing_heavy(bundle):
    code = (
        "import sys; from compress import load_bundle; "
        f"print(load_bundle({str(bundle)!r}, threads=1).predict(['goal'])[0].label); "
        "heavy = {'torch', 'transformers', 'datasets', 'onnx', 'huggingface_hub', 'sklearn', 'scipy', 'pandas'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    start = time.perf_counter()
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    seconds = time.perf_counter() - start
    label, heavy = asked.stdout.split("\n")[:2]
    assert label.startswith("class_")
    assert heavy == "[]"
    assert seconds < 5, "0.3 s on an idle machine; this bound only finds an accident"
