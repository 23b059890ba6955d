import math

import pytest

from compress.distillation.schedule import Schedule, at


@pytest.mark.parametrize(
    ("shape", "quarter", "half"),
    [
        ("linear", 3.25, 2.5),
        ("cosine", 2.5 + 1.5 * math.cos(math.pi / 4), 2.5),
        ("exponential", 4 / math.sqrt(2), 2.0),
    ],
)
def test_it_goes_from_start_to_end_in_its_shape(shape, quarter, half):
    schedule = Schedule(4.0, 1.0, shape=shape)
    values = [schedule.at(share) for share in (0, 0.25, 0.5, 1)]
    assert values == pytest.approx([4.0, quarter, half, 1.0])


@pytest.mark.parametrize("shape", ["linear", "cosine", "exponential"])
def test_the_end_is_reached_after_its_share_and_stays(shape):
    schedule = Schedule(1.0, 3.0, shape=shape, over=0.5)
    assert schedule.at(0.25) == pytest.approx(Schedule(1.0, 3.0, shape=shape).at(0.5))
    assert schedule.at(0.5) == pytest.approx(3.0)
    assert schedule.at(0.9) == pytest.approx(3.0)


def test_a_number_stays():
    assert [at(0.3, share) for share in (0.0, 0.5, 1.0)] == [0.3] * 3
    assert at(Schedule(0.0, 2.0), 0.5) == 1.0
