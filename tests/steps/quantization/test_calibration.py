import datasets
import numpy as np
import pytest
from pydantic import ValidationError

from compress.chain.manifest import DatasetManifest, SplitFacts
from compress.data.rows import load_split, texts_of
from compress.errors import StepError
from compress.inference.text_encoder import TextEncoder
from compress.steps.quantization.calibration import CalibrateRanges, calibration_rows
from compress.steps.quantization.given import Given
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_onnx, tiny_texts


@pytest.fixture
def made(tmp_path):
    """A model, its data set of 60 rows, and another one of 30."""
    return {
        "onnx": tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx")),
        "texts": tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "texts")),
        "more": tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "more", rows=30, seed=3)),
    }


def given(tmp_path, made, seed=17):
    return Given(TinyWorkspace(tmp_path / "out", made, seed=seed), made["onnx"])


def draw(tmp_path, made, seed=17, **said):
    return calibration_rows(CalibrateRanges(**said), given(tmp_path, made, seed))


def test_rows_are_drawn_from_train_without_replacement_and_named_in_the_manifest(tmp_path, made):
    found = draw(tmp_path, made, rows=20)
    assert len(set(found.numbers)) == 20
    assert list(found.numbers) == sorted(found.numbers)
    train = texts_of(load_split(made["texts"].path, "train"))
    assert list(found.texts) == [train[number] for number in found.numbers]
    assert found.details() == {
        "data": made["texts"].digest, "split": "train", "rows": list(found.numbers), "seed": 17,
    }  # fmt: skip


def test_the_seed_decides_and_one_of_its_own_wins(tmp_path, made):
    def numbers(stage, own=None):
        return calibration_rows(CalibrateRanges(rows=20, seed=own), given(tmp_path, made, stage)).numbers

    assert numbers(1) == numbers(1) == numbers(2, own=1) != numbers(2)


def test_batches_hold_every_row_as_the_model_reads_it_and_no_padding(tmp_path, made):
    found = draw(tmp_path, made, rows=40)
    assert all(batch["attention_mask"].all() for batch in found.batches)
    assert len(found.batches) < 40, "texts of one length go together"
    encoder = TextEncoder.load(made["onnx"].path, max_length=32)
    wanted = sorted(tuple(int(token) for token in ids) for ids, _ in encoder.tokens(found.texts))
    assert sorted(tuple(row) for batch in found.batches for row in batch["input_ids"].tolist()) == wanted


def test_another_data_set_may_be_named(tmp_path, made):
    found = draw(tmp_path, made, rows=10, data="more")
    assert found.data == made["more"].digest
    assert max(found.numbers) < 30


def test_fewer_rows_than_asked_are_all_of_them_with_a_warning(tmp_path, made):
    asked = given(tmp_path, made)
    found = calibration_rows(CalibrateRanges(rows=500), asked)
    assert found.numbers == tuple(range(60))
    assert asked.progress.warnings == ["calibrate_ranges: 500 rows were asked, the train split has 60: all of them."]


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_or_none_is_refused_before_any_work(rows):
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        CalibrateRanges(rows=rows)


@pytest.mark.parametrize(("rows", "said"), [(0, "0 rows"), (1, "1 row,")])
def test_a_train_split_with_one_row_or_none_is_an_error(tmp_path, made, rows, said):
    folder = tmp_path / "few"
    texts = datasets.Dataset.from_dict({"text": tiny_texts(3)[0][:rows]})
    texts.save_to_disk(folder / "train")
    DatasetManifest(
        task="text-classification", labels=(), labelled=False, splits={"train": SplitFacts(rows=rows)}, source="few"
    ).write(folder)
    made["few"] = tiny_artifact("Dataset", folder)
    with pytest.raises(StepError, match=rf"the train split has {said}.*ranges need at least 2 .*\{{data: STAGE\}}"):
        draw(tmp_path, made, data="few")


def test_a_data_set_without_a_train_split_is_an_error(tmp_path, made):
    folder = tmp_path / "none"
    folder.mkdir()
    DatasetManifest(
        task="text-classification", labels=(), labelled=False, splits={"test": SplitFacts(rows=9)}, source="none"
    ).write(folder)
    made["none"] = tiny_artifact("Dataset", folder)
    with pytest.raises(StepError, match="the train split has 0 rows"):
        draw(tmp_path, made, data="none")


def test_pairs_for_a_model_of_single_texts_are_an_error(tmp_path, made):
    made["pairs"] = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "pairs", pairs=True))
    with pytest.raises(StepError, match="'pairs' has pairs of texts, the model was trained on single texts"):
        draw(tmp_path, made, data="pairs")


def test_long_texts_are_not_all_in_memory_together(tmp_path, made):
    folder = tmp_path / "alike"
    datasets.Dataset.from_dict({"text": ["goal " * 60] * 90}).save_to_disk(folder / "train")
    DatasetManifest(
        task="text-classification", labels=(), labelled=False, splits={"train": SplitFacts(rows=90)}, source="alike"
    ).write(folder)
    made["alike"] = tiny_artifact("Dataset", folder)
    shapes = [batch["input_ids"].shape for batch in draw(tmp_path, made, data="alike", rows=90).batches]
    assert {width for _, width in shapes} == {32}
    assert max(rows for rows, _ in shapes) * 32 <= 2048
    assert np.sum([rows for rows, _ in shapes]) == 90
