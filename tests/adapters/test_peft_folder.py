"""What is read from a PEFT folder is what peft itself computes; peft is the reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from compress.adapters.packing import pack
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_file import Base, Group, HeadLayer, SetFile, Site
from compress.chain.manifest import ModelManifest
from compress.errors import AdapterError
from compress.models.heads import head_modules
from compress.models.load import load_base
from compress.tuning.targets import lora_targets
from tests.tiny import FAMILIES, Family, tiny_base

LABELS = ("no", "yes", "maybe")
HEADS = {
    "bert": ["bert.pooler.dense", "classifier"],
    "distilbert": ["classifier", "pre_classifier"],
    "roberta": ["classifier.dense", "classifier.out_proj"],
    "mpnet": ["classifier.dense", "classifier.out_proj"],
}


def peft_delta(folder: Path, family: Family, *, new_pooler: bool = False, **options: Any) -> PeftModel:
    """A model with random updates, saved by peft itself in `folder / "delta"`, with the manifest of a delta."""
    base = load_base(_base(folder / "base", family, new_pooler), task="text-classification", labels=LABELS, seed=0)
    said = {"r": 4, "lora_alpha": 12, "target_modules": list(lora_targets(base))}
    config = LoraConfig(task_type="SEQ_CLS", modules_to_save=list(head_modules(base)), **{**said, **options})  # type: ignore[arg-type]
    model = get_peft_model(base, config)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for name, values in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                values.copy_(torch.randn(values.shape))
    model.save_pretrained(str(folder / "delta"))
    ModelManifest(
        kind="LoraDelta", task="text-classification", labels=LABELS, max_length=32, dataset="0" * 64, base="tiny",
        base_digest="1" * 64, parameters=1,
    ).write(folder / "delta")  # fmt: skip
    return model


def _base(folder: Path, family: Family, new_pooler: bool) -> Path:
    """A base; without the weights of its pooler, the delta brings its own."""
    tiny_base(folder, family, layers=2)
    if new_pooler:
        weights = load_file(folder / "model.safetensors")
        kept = {name: values for name, values in weights.items() if "pooler" not in name}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def assert_as_peft(model: PeftModel, folder: Path) -> None:
    """Every update is peft's `get_delta_weight`, every head layer the one that peft computes with."""
    delta = read_delta(folder / "delta")
    layers = {name: module for name, module in model.base_model.model.named_modules() if isinstance(module, LoraLayer)}
    assert delta.updates.keys() == layers.keys()
    for name, layer in layers.items():
        update = delta.updates[name]
        expected = layer.get_delta_weight("default").detach().numpy()  # type: ignore[operator]
        np.testing.assert_allclose(update.scale * update.b @ update.a, expected, rtol=1e-5, atol=1e-5)
        assert (update.rank, update.outputs, update.inputs) == (layer.r["default"], *expected.shape)
    for name, saved in delta.head.items():
        weight, bias = _saved(model, name)
        np.testing.assert_array_equal(saved.weight, weight)
        np.testing.assert_array_equal(saved.bias, bias)


def _saved(model: PeftModel, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Of the layer called `name`, inside peft's copy of a saved module."""
    parameters = {key.replace(".modules_to_save.default", ""): values for key, values in model.named_parameters()}
    found = (parameters[f"base_model.model.{name}.{part}"].detach().numpy() for part in ("weight", "bias"))
    return next(found), next(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_updates_and_head_are_those_of_peft(tmp_path, family):
    model = peft_delta(tmp_path, family, new_pooler=family == "bert")
    assert_as_peft(model, tmp_path)
    delta = read_delta(tmp_path / "delta")
    assert sorted(delta.head) == HEADS[family]
    assert len(delta.updates) == 4
    assert (delta.facts.labels, delta.facts.max_length, delta.facts.base_digest) == (LABELS, 32, "1" * 64)


@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"rank_pattern": {"layer.1.attention.self.query": 2, "value": 8}},
        {"alpha_pattern": {"layer.0.attention.self.query": 3, r"layer\.\d\.attention\.self\.value": 40}},
        {"rank_pattern": {r".*\.query": 2, "query": 6}, "alpha_pattern": {"quer": 5, "^query": 7}, "use_rslora": True},
        {"rank_pattern": {"^bert.encoder.layer.0.attention.self.(query|value)": 3}},
        {"target_modules": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]},
        {"init_lora_weights": "orthogonal"},
        {"layers_to_transform": [1]},
        {"target_modules": r".*layer\.0.*\.(query|value)"},
    ],
    ids=lambda options: "-".join(options),
)
def test_scales_and_ranks_are_those_of_peft(tmp_path, options):
    assert_as_peft(peft_delta(tmp_path, "bert", **options), tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_as_float32(tmp_path, dtype):
    model = peft_delta(tmp_path, "bert")
    file = tmp_path / "delta" / "adapter_model.safetensors"
    save_file({name: values.to(dtype) for name, values in load_file(file).items()}, file)
    rounded = {name: values.to(torch.float32).numpy() for name, values in load_file(file).items()}
    delta = read_delta(tmp_path / "delta")
    for name, update in delta.updates.items():
        assert update.a.dtype == np.float32
        np.testing.assert_array_equal(update.a, rounded[f"base_model.model.{name}.lora_A.weight"])
    assert model.peft_config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use_dora": True}, "'use_dora' is 'True', and only plain LoRA can be served: DoRA also rescales"),
        ({"bias": "lora_only"}, "bias is 'lora_only': biases of the base were trained too"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"lora_bias": True}, "'lora_bias' is 'True'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which changes the base's own weights"),
        ({"init_lora_weights": "olora"}, "init_lora_weights is 'olora'"),
        ({"trainable_token_indices": [1, 2]}, "it changes the embeddings"),
        ({"target_modules": ["query", "word_embeddings"]}, "embed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_not_plain_lora_on_linear_layers_is_refused(tmp_path, options, message):
    peft_delta(tmp_path, "bert", **options)
    with pytest.raises(AdapterError) as caught:
        read_delta(tmp_path / "delta")
    assert message in str(caught.value)


def test_a_packed_row_answers_as_the_layer_of_peft_does(tmp_path):
    model = peft_delta(tmp_path, "roberta", rank_pattern={"value": 2}, use_rslora=True)
    delta = read_delta(tmp_path / "delta")
    name = "roberta.encoder.layer.1.attention.self.value"
    set_file = SetFile(
        title="one layer", base=Base(title="tiny", digest="1" * 64), max_rank=4, max_labels=3, max_length=32,
        groups=tuple(
            Group(inputs=32, outputs=32, sites=(Site(module=one, first_column=0, outputs=32),)) for one in delta.updates
        ),
        head=(
            HeadLayer(module="classifier.dense", inputs=32, outputs=32),
            HeadLayer(module="classifier.out_proj", inputs=32, outputs=None),
        ),
    )  # fmt: skip
    packed, index = pack(delta, set_file), list(delta.updates).index(name)
    layer = model.base_model.model.get_submodule(name)
    x = torch.randn(5, 32)
    expected = (layer(x) - layer.base_layer(x)).detach().numpy()  # type: ignore[operator]
    found = x.numpy() @ packed[f"lora_a.{index}"] @ packed[f"lora_b.{index}"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
