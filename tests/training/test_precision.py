"""What `auto` means on a machine."""

from pathlib import Path

import pytest
import torch

from compress.errors import TrainingError
from compress.training import precision
from compress.training.precision import computed_in, processor_has_bf16

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@without_gpu
@pytest.mark.parametrize(
    ("said", "expected"),
    [("flags : sse avx512_bf16 avx512_vnni", "bf16"), ("flags : amx_bf16", "bf16"), ("Features : fp bf16", "bf16"),
     ("flags : sse avx2", "fp32"), ("model name : bf16 flags", "fp32")],
)  # fmt: skip
def test_auto_is_bf16_where_the_processor_multiplies_it(
    said: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(said)
    monkeypatch.setattr(precision, "PROCESSOR", tmp_path / "cpuinfo")
    processor_has_bf16.cache_clear()
    assert computed_in("auto") == expected
    processor_has_bf16.cache_clear()


@without_gpu
def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(TrainingError, match="fp16 needs a CUDA GPU"):
        computed_in("fp16")


def test_what_is_asked_for_is_taken() -> None:
    assert (computed_in("fp32"), computed_in("bf16")) == ("fp32", "bf16")
