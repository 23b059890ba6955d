"""How many rows are validated together."""

from pathlib import Path

import pytest

from compress.training.defaults import plan
from compress.training.options import Training
from compress.training.trainer import training_arguments


@pytest.mark.parametrize(
    ("batch", "parts", "saves_memory", "validated"),
    [(1, 1, False, 32), (1, 1, True, 2), (16, 4, True, 8), (64, 1, True, 32)],
)
def test_validation_takes_no_more_memory_than_a_training_that_saves_it(
    batch: int, parts: int, saves_memory: bool, validated: int, tmp_path: Path
) -> None:
    said = Training(batch_size=batch, gradient_accumulation=parts, precision="fp32")
    filled_in = plan(said, strategy="lora", rows=100)
    arguments = training_arguments(filled_in, tmp_path, seed=1, saves_memory=saves_memory)
    assert arguments.per_device_eval_batch_size == validated
    assert arguments.per_device_train_batch_size == batch // parts
