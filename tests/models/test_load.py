"""Loading and saving models: what comes back is what went in, and what cannot be used says why."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from compress.errors import ModelError
from compress.models.heads import head_modules, new_parameters
from compress.models.layers import encoder_layers, encoder_layers_name
from compress.models.licence import licence_of
from compress.models.load import check_vocabulary, load_base, load_checkpoint, load_delta, load_tokenizer
from compress.models.positions import check_length, most_tokens
from compress.models.save import save_checkpoint, save_delta
from compress.tuning.lora import lora, merge
from tests.tiny import FAMILIES, LENGTH, tiny_base, tiny_checkpoint, tiny_config, tiny_labels, tiny_texts

LABELS = tiny_labels()
TASK: Any = "text-classification"


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    batch = tokenizer(tiny_texts(8)[0], padding=True, return_tensors="pt")
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**batch).logits
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_checkpoint_answers_the_same(family: Any, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", family)
    model, tokenizer = load_base(base, task=TASK, labels=LABELS), load_tokenizer(base)
    save_checkpoint(model, tokenizer, tmp_path / "saved", max_length=40)
    again, its_tokenizer = load_checkpoint(tmp_path / "saved"), load_tokenizer(tmp_path / "saved")
    assert torch.equal(logits(again, its_tokenizer), logits(model, tokenizer))
    assert again.config.id2label == dict(enumerate(LABELS))
    assert again.config.problem_type == "single_label_classification"
    assert its_tokenizer.model_max_length == 40
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_saved_files_name_no_place_and_keep_no_truncation(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    model, tokenizer = load_base(base, task=TASK, labels=LABELS), load_tokenizer(base)
    tokenizer(["some text"], truncation=True, max_length=8, padding="max_length")
    save_checkpoint(model, tokenizer, tmp_path / "saved", max_length=40)
    for file in (tmp_path / "saved").glob("*.json"):
        assert str(tmp_path) not in file.read_text()
    saved = json.loads((tmp_path / "saved" / "tokenizer.json").read_text())
    assert saved["truncation"] is None
    assert saved["padding"] is None


def test_a_new_head_comes_from_the_seed_and_leaves_the_random_state_alone(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (load_base(base, task=TASK, labels=LABELS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


def test_weights_are_fp32_whatever_the_base_is_saved_in(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    weights = {name: tensor.bfloat16() for name, tensor in load_file(base / "model.safetensors").items()}
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    model = load_base(base, task=TASK, labels=LABELS)
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


def test_a_classifier_of_other_labels_gets_a_new_head(tmp_path: Path) -> None:
    model = load_base(tiny_checkpoint(tmp_path / "c"), task=TASK, labels=("a", "b"))
    assert model.classifier.out_features == 2
    assert new_parameters(model) == ("classifier.bias", "classifier.weight")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_of_as_many_other_labels_gets_a_new_head_from_the_seed(family: Any, tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "c", family)
    trained = load_checkpoint(folder)
    one, same, other = (load_base(folder, task=TASK, labels=("a", "b", "c"), seed=seed) for seed in (1, 1, 2))
    head = [name for name, _ in one.named_parameters() if name.startswith(head_modules(one))]
    assert new_parameters(one) == tuple(sorted(head))
    for name, weights in one.named_parameters():
        assert torch.equal(weights, same.get_parameter(name))
        is_new_matrix = name in head and weights.ndim > 1  # biases begin at 0, as those of the tiny checkpoint do
        assert torch.equal(weights, trained.get_parameter(name)) is not is_new_matrix
        assert torch.equal(weights, other.get_parameter(name)) is not is_new_matrix


def test_a_classifier_of_the_same_labels_keeps_its_head(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "c", labels=LABELS)
    model = load_base(folder, task=TASK, labels=LABELS)
    assert torch.equal(model.classifier.weight, load_checkpoint(folder).classifier.weight)
    assert new_parameters(model) == ()


@pytest.mark.parametrize(
    ("family", "head", "layers"),
    [("bert", ("classifier",), "bert.encoder.layer"), ("roberta", ("classifier",), "roberta.encoder.layer"),
     ("distilbert", ("pre_classifier", "classifier"), "distilbert.transformer.layer"),
     ("mpnet", ("classifier",), "mpnet.encoder.layer")],
)  # fmt: skip
def test_heads_and_layers_are_found_in_every_family(family: Any, head: Any, layers: str, tmp_path: Path) -> None:
    model = load_base(tiny_base(tmp_path / "base", family, layers=3), task=TASK, labels=LABELS)
    assert head_modules(model) == head
    assert encoder_layers_name(model) == layers
    assert len(encoder_layers(model)) == 3


def without_pooler(base: Path) -> Path:
    weights = {n: t for n, t in load_file(base / "model.safetensors").items() if not n.startswith("pooler.")}
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    return base


def test_a_pooler_that_the_base_does_not_bring_belongs_to_the_head(tmp_path: Path) -> None:
    model = load_base(without_pooler(tiny_base(tmp_path / "base")), task=TASK, labels=LABELS)
    assert head_modules(model) == ("bert.pooler", "classifier")


@pytest.mark.parametrize("with_pooler", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_delta_answers_the_same_when_loaded_and_when_merged(family: Any, with_pooler: bool, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", family)
    if not with_pooler and family == "bert":
        without_pooler(base)
    tokenizer = load_tokenizer(base)
    delta = lora(load_base(base, task=TASK, labels=LABELS, seed=7), rank=4, alpha=8, dropout=0.1, seed=7)
    with torch.no_grad():
        for weights in delta.parameters():
            if weights.requires_grad:
                weights.add_(torch.randn_like(weights) * 0.3)
    expected = logits(delta, tokenizer)
    save_delta(delta, tokenizer, tmp_path / "delta", base="package:some/base", max_length=40)
    loaded = load_delta(tmp_path / "delta", base_folder=base, task=TASK, labels=LABELS)
    assert torch.allclose(logits(loaded, tokenizer), expected, atol=1e-6)
    assert torch.allclose(logits(merge(loaded), tokenizer), expected, atol=1e-5)
    names = {path.name for path in (tmp_path / "delta").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert str(tmp_path) not in (tmp_path / "delta" / "adapter_config.json").read_text()


def test_a_delta_on_a_base_of_another_shape_is_refused(tmp_path: Path) -> None:
    base, other = tiny_base(tmp_path / "base"), tiny_base(tmp_path / "other", hidden=64)
    delta = lora(load_base(base, task=TASK, labels=LABELS), rank=4, alpha=8, dropout=0.0)
    save_delta(delta, load_tokenizer(base), tmp_path / "delta", base="x", max_length=40)
    with pytest.raises(ModelError, match=r"does not fit the base .* Use the base that it was trained on"):
        load_delta(tmp_path / "delta", base_folder=other, task=TASK, labels=LABELS)


def remove(*names: str) -> Callable[[Path], None]:
    return lambda base: [(base / name).unlink() for name in names] and None


def config(**changes: Any) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        said = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps({**said, **changes}))

    return change


def pickled(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")


def emptied(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    few = {name: tensor for name, tensor in weights.items() if "encoder" not in name}
    save_file(few, base / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("tokenizer.json", "tokenizer_config.json"), "has no tokenizer: needed is tokenizer.json"),
        (remove("config.json"), "is not a model: it has no config.json"),
        (remove("model.safetensors"), "has no weights: needed is model.safetensors"),
        (pickled, "weights in pytorch_model.bin only: a pickle can run code"),
        (config(hidden_size=64), "config.json and weights disagree about the shape of bert"),
        (config(num_hidden_layers=4), "not those of a BertForSequenceClassification: nothing for bert.encoder"),
        (emptied, "not those of a BertForSequenceClassification: nothing for bert.encoder"),
        (config(model_type="no_such"), "is not a model that transformers knows"),
        (config(model_type="clip_text_model"), "has no sequence classification class"),
        (config(model_type="vit"), "is a 'vit', which has no sequence classification class"),
        (lambda base: (base / "config.json").write_text("{"), "is not a model that transformers knows"),
        (lambda base: (base / "model.safetensors").write_bytes(b"\0" * 50), "cannot be loaded"),
        (shutil.rmtree, "is not a folder"),
    ],
)
def test_a_base_that_cannot_be_used_says_why(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    damage(base)
    with pytest.raises(ModelError, match=said):
        load_base(base, task=TASK, labels=LABELS)


def test_a_checkpoint_that_lacks_its_head_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a whole checkpoint: no fitting weights for classifier.bias"):
        load_checkpoint(tiny_base(tmp_path / "base"))


def test_a_head_needs_labels_that_fit_its_task(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    with pytest.raises(ModelError, match="needs two labels or more, and there is 1"):
        load_base(base, task=TASK, labels=("only",))
    with pytest.raises(ModelError, match="a regression head has one output"):
        load_base(base, task="text-regression", labels=("a", "b"))


def test_a_tokenizer_with_more_pieces_than_the_model_is_refused(tmp_path: Path) -> None:
    model = load_base(tiny_base(tmp_path / "bert"), task=TASK, labels=LABELS)
    tokenizer = load_tokenizer(tiny_base(tmp_path / "roberta", "roberta"))
    with pytest.raises(ModelError, match=r"ids up to .*they do not belong together"):
        check_vocabulary(model, tokenizer)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_text_is_the_longest_that_really_runs(family: Any) -> None:
    configuration = tiny_config(family)
    assert most_tokens(configuration.to_dict()) == LENGTH
    model = transformers.AutoModel.from_config(configuration).eval()
    model(input_ids=torch.full((1, LENGTH), 5), attention_mask=torch.ones(1, LENGTH, dtype=torch.long))
    with pytest.raises(ModelError, match=f"max_length {LENGTH + 1} is more than this model reads"):
        check_length(configuration, LENGTH + 1)


@pytest.mark.parametrize(
    ("card", "licence"),
    [("---\nlanguage: en\nlicense: apache-2.0\ntags:\n- x\n---\n# license: none", "apache-2.0"),
     ("---\nlicense:\n- mit\n---\n", "mit"), ("---\nlicense: 'cc-by-4.0' # said\n---\n", "cc-by-4.0"),
     ("---\ntags: x\n---\nlicense: mit", None), ("license: mit", None)],
)  # fmt: skip
def test_the_licence_is_that_of_the_card(card: str, licence: str | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == licence


def test_without_a_card_there_is_no_licence(tmp_path: Path) -> None:
    assert licence_of(tmp_path) is None
