import numpy as np
import pytest

from compress.distillation.augmentation.cutoff import cut_off
from compress.distillation.augmentation.mask import masked
from compress.distillation.augmentation.swap import swapped
from compress.distillation.augmentation.words import each

WORDS = [f"word{number}" for number in range(20)]


def random(seed=0):
    return np.random.default_rng(seed)


def test_words_are_masked_with_the_probability_that_was_asked_for():
    words = ["word"] * 20_000
    hidden = masked(words, share=0.3, mask="[MASK]", random=random()).count("[MASK]")
    assert hidden == pytest.approx(6000, abs=4 * (20_000 * 0.3 * 0.7) ** 0.5)  # four standard deviations


def test_masked_words_stand_where_they_stood_and_deleted_ones_are_the_same():
    found = masked(WORDS, share=0.4, mask="?", random=random())
    assert all(one in (word, "?") for one, word in zip(found, WORDS, strict=True))
    assert masked(WORDS, share=0.4, mask=None, random=random()) == [one for one in found if one != "?"]


def test_deletion_leaves_one_word():
    assert all(len(masked(["a", "b"], share=0.999, mask=None, random=random(seed))) == 1 for seed in range(20))


@pytest.mark.parametrize(("share", "expected"), [(0.1, 2), (0.26, 5), (0.001, 1), (0.999, 19)])
def test_a_span_of_the_share_is_cut_out(share, expected):
    found = cut_off(WORDS, share=share, random=random())
    start = next((place for place, word in enumerate(found) if word != WORDS[place]), len(found))
    assert found == WORDS[:start] + WORDS[start + expected :]


def test_a_span_starts_anywhere():
    starts = {tuple(cut_off(WORDS, share=0.5, random=random(seed))) for seed in range(300)}
    assert len(starts) == 11


@pytest.mark.parametrize(("share", "swaps"), [(0.05, 1), (0.001, 1), (0.5, 10)])
def test_swaps_keep_the_words_and_move_at_most_two_each(share, swaps):
    found = swapped(WORDS, share=share, random=random())
    moved = sum(one != word for one, word in zip(found, WORDS, strict=True))
    assert sorted(found) == sorted(WORDS)
    assert 2 <= moved <= 2 * swaps
    assert swaps > 1 or moved == 2


@pytest.mark.parametrize("change", [cut_off, swapped])
def test_a_single_word_stays(change):
    assert change(["alone"], share=0.5, random=random()) == ["alone"]


def test_texts_are_rewritten_word_by_word_and_empty_ones_stay():
    rewrite = each(lambda words, _random: words[::-1])
    assert rewrite(["a  b\nc", " ", ""], random()) == ["c b a", " ", ""]


@pytest.mark.parametrize("change", [cut_off, swapped, lambda *w, **o: masked(*w, mask="?", **o)])
def test_the_seed_decides(change):
    one, same, other = (change(WORDS, share=0.3, random=random(seed)) for seed in (1, 1, 2))
    assert one == same != other
