"""What a set takes is what the largest of its deltas needs; their weights are not kept."""

import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest

from compress.adapters.delta import Delta
from compress.adapters.peft_folder import read_delta
from compress.errors import AdapterError
from compress.steps.adapters import limits
from compress.steps.adapters.limits import limits_of
from tests.adapters.hand_made import QUERY, VALUE, tiny_delta, tiny_tensors


@dataclass(frozen=True)
class Artifact:
    """All of a LoraDelta that is looked at."""

    path: Path


@pytest.fixture
def deltas(tmp_path):
    return {
        "news": Artifact(tiny_delta(tmp_path / "news", rank=2, labels=("no", "yes", "maybe"))),
        "mood": Artifact(tiny_delta(tmp_path / "mood", rank=3, labels=("low", "high"), manifest={"max_length": 64})),
    }


def test_the_largest_of_everything_is_the_limit(deltas):
    found = limits_of(deltas, max_rank=None, max_labels=None)
    assert (found.max_rank, found.max_labels, found.max_length) == (3, 3, 64)
    news = found.needs["news"]
    assert (news.rank, news.labels, news.max_length) == (2, 3, 32)
    assert (news.modules, news.head) == ({QUERY, VALUE}, {"classifier.dense", "classifier.out_proj"})
    assert news.numbers == sum(table.size for table in tiny_tensors(rank=2, labels=3).values())


def test_what_was_said_is_the_limit_where_all_fit(deltas):
    found = limits_of(deltas, max_rank=8, max_labels=20)
    assert (found.max_rank, found.max_labels) == (8, 20)
    with pytest.raises(AdapterError, match="max_rank 2 is below the 3 of adapter 'mood': raise it, or leave it out"):
        limits_of(deltas, max_rank=2, max_labels=None)


def test_one_delta_at_a_time_is_in_memory(deltas, monkeypatch):
    read: list[weakref.ref[Delta]] = []

    def reading(path: Path) -> Delta:
        assert not any(one() for one in read), "the one before is still there"
        delta = read_delta(path)
        read.append(weakref.ref(delta))
        return delta

    monkeypatch.setattr(limits, "read_delta", reading)
    found = limits_of(deltas, max_rank=None, max_labels=None)
    assert (len(found.needs), [one() for one in read]) == (2, [None, None])
