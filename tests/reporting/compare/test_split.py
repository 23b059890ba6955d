"""Which split a stage was measured on, read out of the configuration in a report."""

from types import SimpleNamespace

import pytest

from compress.reporting.compare.split import split_of

SAID = "measure: {split: validation}\n"


@pytest.mark.parametrize(
    ("configuration", "split"),
    [
        ("name: a\n", "test"),
        (SAID, "validation"),
        (f"{SAID}# --set measure.split=train\n", "train"),
        (f"{SAID}# --set measure={{split: train}}\n# --set seed=3\n", "train"),
        (f"# --set measure.split=test is how one proves it\n{SAID}", "validation"),
        ("name: 2024-02-30\n", "test"),
        (": : :", "test"),
    ],
)
def test_the_split_is_that_of_the_file_and_of_what_was_set(configuration, split):
    assert split_of(SimpleNamespace(configuration=configuration), SimpleNamespace(configuration={})) == split
