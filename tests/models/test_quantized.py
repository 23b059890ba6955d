"""Models that bitsandbytes holds in 8 bits or NF4: made, written, read again without float weights."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from compress.errors import MissingExtraError, ModelError
from compress.models.blocks import blocks
from compress.models.load import load_base, load_checkpoint, load_quantized_base, load_tokenizer
from compress.models.quantized import Quantization, parameters_of, quantize_layers
from compress.models.quantized_layers import on_device, quantized_layer
from compress.models.save import save_checkpoint
from compress.pruning.embedding_rank import factorise_embedding
from compress.tuning.lora import lora
from tests.tiny import FAMILIES, tiny_base, tiny_checkpoint, tiny_labels, tiny_tokenizer

IDS = torch.tensor([[2, 9, 17, 30, 3], [2, 40, 41, 3, 1]])
HOWS = [Quantization(8), Quantization("nf4"), Quantization("nf4", double_quantization=True)]
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Dettmers et al. 2023, appendix E."""


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return found


def written(folder: Path, model: PreTrainedModel) -> Path:
    save_checkpoint(model, tiny_tokenizer(), folder, max_length=32)
    return folder


def quantized(folder: Path, how: Quantization, family: Any = "bert") -> tuple[PreTrainedModel, Path]:
    """A quantized model in memory, and its folder."""
    model = load_checkpoint(tiny_checkpoint(folder / "float", family))
    quantize_layers(model, how)
    return model, written(folder / "quantized", model)


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_read_again_answers_to_the_last_bit(family: Any, how: Quantization, tmp_path: Path) -> None:
    model, folder = quantized(tmp_path, how, family)
    again = load_checkpoint(folder, to_answer=True)
    assert torch.equal(logits(again), logits(model))
    plain = logits(load_checkpoint(tmp_path / "float"))
    assert not torch.equal(logits(again), plain)
    assert not (tmp_path / "quantized" / "pytorch_model.bin").exists()


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_transformers_reads_the_folder_by_itself(how: Quantization, tmp_path: Path) -> None:
    model, folder = quantized(tmp_path, how)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder, device_map={"": "cpu"}).eval()
    for module in theirs.modules():
        module.support_avx512bf16_for_cpu = False  # theirs would compute in bf16 where the processor can
    assert torch.allclose(logits(theirs), logits(model), atol=1e-5)
    assert type(theirs.classifier) is nn.Linear


def test_nf4_is_the_nearest_of_sixteen_levels_times_the_blocks_largest() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(128, 4, bias=False)
    held = quantized_layer(layer, "nf4", double_quantization=False, compute=torch.float32)
    blocks_of = layer.weight.detach().numpy().reshape(-1, 64)
    scale = np.abs(blocks_of).max(axis=1, keepdims=True)
    nearest = np.abs((blocks_of / scale)[..., None] - np.array(NF4)).argmin(-1)
    expected = torch.tensor((np.array(NF4)[nearest] * scale).reshape(4, 128), dtype=torch.float32)
    assert torch.allclose(held(torch.eye(128)).T, expected, atol=1e-6)


def test_eight_bits_are_a_row_in_steps_of_its_largest_by_127() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(128, 4, bias=False)
    held = quantized_layer(layer, 8, double_quantization=False, compute=torch.float32)
    step = layer.weight.detach().abs().amax(dim=1, keepdim=True) / 127
    found = held(torch.eye(128)).detach().T
    codes, expected = found / step, (layer.weight / step).round()
    assert (codes - codes.round()).abs().max() < 0.05
    assert (
        codes - expected
    ).abs().max() < 1.05  # the quotient is taken in 16 bits, so near a half it may go either way
    assert ((codes - expected).abs() < 0.05).float().mean() > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_encoders_linear_layers_are_quantized(family: Any, tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path / "float", family))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = quantize_layers(model, Quantization("nf4"))
    assert len(found.quantized) == 12
    assert all(name.startswith(f"{model.base_model_prefix}.") and "layer" in name for name in found.quantized)
    assert found.left
    assert all(type(model.get_submodule(name)) is nn.Linear for name in found.left)
    after = model.state_dict()
    stay = [name for name in before if name.rpartition(".")[0] not in found.quantized]
    assert all(torch.equal(after[name], before[name]) for name in stay)


def test_a_pruned_model_keeps_its_shape_and_a_factorised_embedding_its_product(tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path / "float"))
    for block in blocks(model):
        block.keep_heads([0, 2])
    factorise_embedding(model, rank=8)
    found = quantize_layers(model, Quantization("nf4"))
    assert "bert.embeddings.word_embeddings.product" in found.left
    again = load_checkpoint(written(tmp_path / "quantized", model), to_answer=True)
    assert (tmp_path / "quantized" / "structure.json").is_file()
    assert torch.equal(logits(again), logits(model))


def test_only_codes_and_scales_are_on_disk(tmp_path: Path) -> None:
    _, folder = quantized(tmp_path, Quantization("nf4"))
    saved, name = load_file(folder / "model.safetensors"), "bert.encoder.layer.0.output.dense"
    assert (saved[f"{name}.weight"].dtype, saved[f"{name}.weight"].numel()) == (torch.uint8, 64 * 32 // 2)
    assert saved[f"{name}.weight.absmax"].numel() == 64 * 32 // 64


def test_an_answer_in_between_does_not_stop_the_gradient(tmp_path: Path) -> None:
    """bitsandbytes 0.50.2 repacks weights on processors with AVX512-BF16, and forgets the gradient then."""

    def gradients(*, answered: bool) -> list[torch.Tensor]:
        base = load_base(tiny_base(tmp_path / f"base_{answered}"), task="text-classification", labels=tiny_labels())
        quantize_layers(base, Quantization("nf4"))
        delta = lora(base, rank=4, alpha=8, dropout=0.0, seed=3)
        for weights in delta.parameters():
            if weights.requires_grad:
                nn.init.constant_(weights, 0.05)
        if answered:
            delta.eval()
            logits(delta)
        delta.train()
        for module in delta.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        delta(input_ids=IDS, labels=torch.tensor([0, 2])).loss.backward()
        return [weights.grad for weights in delta.parameters() if weights.grad is not None]

    before, after = gradients(answered=False), gradients(answered=True)
    assert len(before) == len(after) > 4
    assert all(torch.equal(one, other) and one.any() for one, other in zip(before, after, strict=True))


def test_a_base_that_is_loaded_quantized_is_the_base_quantized(tmp_path: Path) -> None:
    folder, how = tiny_base(tmp_path / "base"), Quantization("nf4")
    task, labels = "text-classification", tiny_labels()
    model, layers = load_quantized_base(folder, how, task=task, labels=labels, seed=3)
    by_hand = load_base(folder, task=task, labels=labels, seed=3)
    parameters = by_hand.num_parameters()
    assert quantize_layers(by_hand, how) == layers
    assert torch.equal(logits(model.eval()), logits(by_hand.eval()))
    assert parameters_of(model) == parameters


def test_a_model_without_linear_layers_outside_its_head_is_refused() -> None:
    config = transformers.BertConfig(hidden_size=32, num_hidden_layers=0, num_attention_heads=4, vocab_size=50)
    with pytest.raises(ModelError, match="nothing to quantize: BertForSequenceClassification has no linear layer"):
        quantize_layers(transformers.BertForSequenceClassification(config), Quantization(8))


def test_a_model_is_quantized_once(tmp_path: Path) -> None:
    model, _ = quantized(tmp_path, Quantization(8))
    with pytest.raises(ModelError, match="the model is quantized already"):
        quantize_layers(model, Quantization("nf4"))


def test_it_is_no_model_to_change_and_no_base(tmp_path: Path) -> None:
    _, folder = quantized(tmp_path, Quantization("nf4"))
    with pytest.raises(ModelError, match="is quantized to nf4 by bitsandbytes: its weights cannot be changed"):
        load_checkpoint(folder)
    with pytest.raises(ModelError, match="a base is given in full precision"):
        load_base(folder, task="text-classification", labels=tiny_labels())


def test_another_librarys_quantization_is_refused(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "float")
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**said, "quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(ModelError, match="is quantized by gptq"):
        load_checkpoint(folder, to_answer=True)


def shorter(saved: dict[str, torch.Tensor], name: str) -> None:
    saved[f"{name}.weight"] = saved[f"{name}.weight"][:-8].clone()


def without_scales(saved: dict[str, torch.Tensor], name: str) -> None:
    del saved[f"{name}.weight.absmax"]


def of_another_layer(saved: dict[str, torch.Tensor], name: str) -> None:
    other = name.replace("output.dense", "attention.self.query")
    for end in ("weight", "weight.absmax", "weight.quant_state.bitsandbytes__nf4"):
        saved[f"{name}.{end}"] = saved[f"{other}.{end}"].clone()


def no_json(saved: dict[str, torch.Tensor], name: str) -> None:
    saved[f"{name}.weight.quant_state.bitsandbytes__nf4"] = torch.zeros(5, dtype=torch.uint8)


def without_head(saved: dict[str, torch.Tensor], _: str) -> None:
    del saved["classifier.weight"]


@pytest.mark.parametrize("damage", [shorter, without_scales, of_another_layer, no_json, without_head])
def test_damaged_weights_are_refused_before_they_are_computed_with(
    damage: Callable[[dict[str, torch.Tensor], str], None], tmp_path: Path
) -> None:
    _, folder = quantized(tmp_path, Quantization("nf4"))
    saved = load_file(folder / "model.safetensors")
    damage(saved, "bert.encoder.layer.0.output.dense")
    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="is no whole quantized model"):
        load_checkpoint(folder, to_answer=True)


def test_codes_of_eight_bits_of_another_size_are_refused(tmp_path: Path) -> None:
    _, folder = quantized(tmp_path, Quantization(8))
    saved, name = load_file(folder / "model.safetensors"), "bert.encoder.layer.0.output.dense"
    saved[f"{name}.weight"] = saved[f"{name}.weight"][:, :-1].clone()
    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"output\.dense: its 8-bit tensors are damaged"):
        load_checkpoint(folder, to_answer=True)


def test_without_bitsandbytes_it_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path / "float"))
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError, match=r"'bitsandbytes' is not installed: pip install .*\[train\]"):
        quantize_layers(model, Quantization(8))


def test_the_tokenizer_is_beside_it(tmp_path: Path) -> None:
    _, folder = quantized(tmp_path, Quantization(8))
    assert load_tokenizer(folder).model_max_length == 32


def test_codes_in_8_bits_follow_a_model_to_another_device(tmp_path: Path) -> None:
    """On CUDA `.to` gives the kept parameter new data; on a CPU it does not, so it is given some here."""
    model, _ = quantized(tmp_path, Quantization(8))
    before = logits(model)
    layers = [one for one in model.modules() if type(one).__name__ == "Linear8bitLt"]
    for layer in layers:
        layer.weight.data = layer.weight.data.clone()
        assert layer.state.CB.data_ptr() != layer.weight.data.data_ptr()
    assert torch.equal(logits(on_device(model, "cpu")), before)
    assert layers
    assert all(layer.state.CB.data_ptr() == layer.weight.data.data_ptr() for layer in layers)
