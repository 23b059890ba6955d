"""A set with a real graph and peft's own adapters, served: every answer is peft's."""

import shutil
import time

import numpy as np
import pytest

from compress.adapters.set_folder import AdapterSetFolder
from compress.serving.set_backend import open_set
from tests.exporting.adapters.sets import TEXTS, TinySet, tiny_adapters, tiny_set

FAR = time.monotonic() + 3600
NAMES = ("news", "topics", "sentiment", "score")


def published(folder, **options) -> TinySet:
    """The set of four adapters, as a folder that can be served."""
    made = tiny_set(folder, **options)
    made.set_file.write(folder)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / "plain" / name, folder / "base" / name)
    for name, delta in zip(NAMES, tiny_adapters("bert", False).folders, strict=True):
        AdapterSetFolder(folder).add(name, delta)
    return made


def answers(backend, texts):
    """Logits of every text by every adapter, all asked at once: rows of several adapters share batches."""
    futures = {}
    for name in NAMES:
        facts = backend.find(name)
        futures[name] = backend.submit(facts, [backend.encode(facts, text) for text in texts], deadline=FAR)
    return {name: future.result(120) for name, future in futures.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return published(tmp_path_factory.mktemp("sets") / "set")


@pytest.mark.parametrize("slots", [2, 3, 6])
def test_answers_are_those_of_peft_with_any_number_of_slots(made, slots):
    backend = open_set(made.folder, threads=1, slots=slots)
    for slot, logits in enumerate(answers(backend, TEXTS).values(), start=1):
        for text, row in zip(TEXTS, logits, strict=True):
            wanted = made.reference(slot).predict(made.encoder.encode([text]))["logits"][0]
            np.testing.assert_allclose(row, wanted, atol=2e-5)
    said = backend.statistics()
    assert said.rows == 4 * len(TEXTS)
    assert said.batches < said.rows
    assert said.slots_used == min(4, slots - 1)
    backend.stop()


PAIRS = [("goal match", "vote"), ("law", "rain sun goal"), ("match", "match")]


def test_a_pair_of_texts_is_answered_as_peft_does_with_the_types_of_both(made):
    backend = open_set(made.folder, threads=1)
    for slot, name in enumerate(NAMES, start=1):
        facts = backend.find(name)
        rows = [backend.encode(facts, text) for text in PAIRS]
        together = backend.submit(facts, rows, deadline=FAR).result(60)
        for pair, row in zip(PAIRS, together, strict=True):
            batch = made.encoder.encode([pair])
            np.testing.assert_allclose(row, made.reference(slot).predict(batch)["logits"][0], atol=2e-5)
            untyped = batch | {"token_type_ids": np.zeros_like(batch["token_type_ids"])}
            assert np.abs(row - made.reference(slot).predict(untyped)["logits"][0]).max() > 1e-3
    backend.stop()


def test_a_base_quantized_a_batch_at_a_time_answers_each_row_alone(tmp_path):
    made = published(tmp_path / "set", scheme={})
    backend = open_set(made.folder, threads=1)
    for slot, logits in enumerate(answers(backend, TEXTS[:5]).values(), start=1):
        for text, row in zip(TEXTS[:5], logits, strict=True):
            np.testing.assert_array_equal(row, made.slot(slot).predict(made.encoder.encode([text]))["logits"][0])
    said = backend.statistics()
    assert (said.batches, said.rows) == (20, 20)
    backend.stop()


def test_a_base_quantized_a_token_at_a_time_answers_rows_together_to_the_last_bit(tmp_path):
    made = published(tmp_path / "set", scheme={"per_token": True})
    backend = open_set(made.folder, threads=1)
    for slot, logits in enumerate(answers(backend, TEXTS).values(), start=1):
        for text, row in zip(TEXTS, logits, strict=True):
            np.testing.assert_array_equal(row, made.slot(slot).predict(made.encoder.encode([text]))["logits"][0])
    said = backend.statistics()
    assert said.batches < said.rows
    backend.stop()
