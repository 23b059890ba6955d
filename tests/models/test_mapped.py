"""Pages of weights in a mapped file leave memory, and nothing is lost by that."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from compress.models import quantized
from compress.models.load import load_quantized_base
from compress.models.mapped import give_back
from compress.models.quantized import Quantization
from tests.tiny import tiny_base, tiny_labels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")


def resident(file: Path) -> int:
    """Bytes of `file` that this process has in memory."""
    found, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = line.endswith(str(file))
        elif counts and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_what_is_given_back_is_in_memory_no_more_and_is_read_again_when_somebody_asks(tmp_path: Path) -> None:
    wanted, file = torch.rand(512, 512, generator=torch.Generator().manual_seed(1)), tmp_path / "w.safetensors"
    save_file({"w": wanted, "other": torch.ones(3)}, file)
    weights = load_file(file)["w"]
    assert torch.equal(weights, wanted)
    before = resident(file)
    assert before >= wanted.nbytes
    given = give_back(weights)
    assert wanted.nbytes - 2 * 65536 < given <= wanted.nbytes
    assert resident(file) <= before - given
    assert torch.equal(weights, wanted)


def test_weights_that_lie_in_no_file_stay_as_they_are() -> None:
    weights = torch.ones(512, 512)
    assert give_back(weights) == give_back(weights.T) == give_back(torch.ones(3)) == 0
    assert weights.all()


def test_while_a_base_is_quantized_its_float_weights_leave_memory_layer_by_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = tiny_base(tmp_path / "base", hidden=512), []
    file, made = folder / "model.safetensors", quantized.quantized_layer

    def watched(layer: Any, *how: Any, **options: Any) -> Any:
        found = made(layer, *how, **options)
        seen.append(resident(file))
        return found

    monkeypatch.setattr(quantized, "quantized_layer", watched)
    model, layers = load_quantized_base(
        folder, Quantization("nf4"), task="text-classification", labels=tiny_labels()
    )  # fmt: skip
    all_of_them = 2 * (4 * 512 * 512 + 2 * 512 * 1024) * 4
    assert len(seen) == len(layers.quantized) == 12
    assert max(seen) < all_of_them / 2, "a system reads some megabytes ahead"
    assert resident(file) < all_of_them / 10
    assert model.get_input_embeddings() is not None
