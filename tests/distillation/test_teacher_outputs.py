import numpy as np
import pytest
import torch
import transformers

from compress.data.rows import load_split, texts_of
from compress.distillation.teacher_outputs import RowsOf, read_teacher_logits, write_teacher_logits
from compress.errors import DataError
from compress.inference.predictor import LinearPredictor
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from tests.tiny import tiny_checkpoint, tiny_dataset_folder


def rows_of(tmp_path, **options):
    return load_split(tiny_dataset_folder(tmp_path / "data", 50, **options), "train")


@pytest.mark.parametrize("pairs", [False, True])
def test_kept_logits_are_what_the_library_answers_row_by_row(tmp_path, pairs):
    folder, rows = tiny_checkpoint(tmp_path / "teacher"), rows_of(tmp_path, pairs=pairs)
    encoder = TextEncoder.load(folder, max_length=32)
    write_teacher_logits(open_torch(folder, threads=0), encoder, rows, tmp_path, progress=Silent())
    kept = read_teacher_logits(tmp_path)

    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in texts_of(rows):
        tokens = tokenizer(*([text] if isinstance(text, str) else text), truncation=True, max_length=32)
        with torch.no_grad():
            expected.append(model(**{name: torch.tensor([ids]) for name, ids in tokens.items()}).logits[0].numpy())
    assert isinstance(kept, np.memmap)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, expected, atol=1e-5)


def test_chunks_do_not_change_the_answers(tmp_path):
    folder, rows = tiny_checkpoint(tmp_path / "teacher"), rows_of(tmp_path)
    table = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    encoder = TextEncoder.load(folder, max_length=32)
    whole, chunked = tmp_path / "whole", tmp_path / "chunked"
    for place, chunk_rows in ((whole, 1000), (chunked, 7)):
        place.mkdir()
        write_teacher_logits(LinearPredictor(table), encoder, rows, place, progress=Silent(), chunk_rows=chunk_rows)
    np.testing.assert_array_equal(read_teacher_logits(chunked), read_teacher_logits(whole))


def test_no_rows_are_refused(tmp_path):
    encoder = TextEncoder.load(tiny_checkpoint(tmp_path / "teacher"), max_length=32)
    with pytest.raises(DataError, match="the teacher has no rows to answer"):
        write_teacher_logits(
            LinearPredictor(np.zeros((1, 1))), encoder, rows_of(tmp_path).select([]), tmp_path, progress=Silent()
        )


def test_several_arrays_are_read_as_one():
    one, other = np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(6, 10, dtype=np.float32).reshape(2, 2)
    rows = RowsOf([one, other])
    numbers = np.array([4, 0, 3, 2, 2])
    assert len(rows) == 5
    np.testing.assert_array_equal(rows.take(numbers), np.concatenate([one, other])[numbers])
