import datasets
import pytest

from compress.data.rows import load_split
from compress.distillation.augmentation.rows import Recipe, write_augmented
from compress.distillation.augmentation.words import each
from compress.errors import DataError
from compress.progress import Silent

BACKWARDS = each(lambda words, _random: words[::-1])
SHUFFLED = each(lambda words, random: [str(one) for one in random.permutation(words)])
ROWS = datasets.Dataset.from_dict({"text": [f"a b c d e {n}" for n in range(5)], "label": [0, 1, 0, 1, 0]})
PAIRS = ROWS.add_column("text_pair", [f"x y {n}" for n in range(5)])


def written(folder, rows, *recipes, seed=1):
    made = write_augmented(rows, folder / "train", recipes, seed=seed, fingerprint="0" * 16, progress=Silent())
    return made, load_split(folder, "train")


def test_recipes_and_copies_follow_each_other_in_the_rows_order_without_labels(tmp_path):
    made, rows = written(tmp_path, ROWS, Recipe("back", BACKWARDS, 2), Recipe("again", BACKWARDS, 1))
    assert made == {"back": 10, "again": 5}
    assert rows["text"][:] == [f"{n} e d c b a" for n in range(5)] * 3
    assert rows.column_names == ["text"]


def test_both_texts_of_a_pair_are_changed(tmp_path):
    _, rows = written(tmp_path, PAIRS, Recipe("back", BACKWARDS, 1))
    assert rows["text_pair"][:] == [f"{n} y x" for n in range(5)]
    assert rows["text"][0] == "0 e d c b a"


def test_copies_differ_and_the_seed_decides(tmp_path):
    recipe = Recipe("shuffled", SHUFFLED, 2)
    (_, one), (_, same), (_, other) = (
        written(tmp_path / name, ROWS, recipe, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one["text"][:5] != one["text"][5:]
    assert one["text"][:] == same["text"][:] != other["text"][:]


def test_rows_that_stayed_as_they_were_are_left_out(tmp_path):
    only_first = each(lambda words, _random: ["new"] if words[-1] == "0" else words)
    made, rows = written(tmp_path, ROWS, Recipe("first", only_first, 1))
    assert (made, rows["text"][:]) == ({"first": 1}, ["new"])


def test_a_recipe_without_effect_is_an_error_that_names_it(tmp_path):
    nothing = Recipe("swap", each(lambda words, _random: words), 3)
    with pytest.raises(DataError, match=r"augmentation 2 \(swap\) changed none of 5 rows: raise its `share`"):
        written(tmp_path, ROWS, Recipe("back", BACKWARDS, 1), nothing)
