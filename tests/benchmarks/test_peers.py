import json
import runpy
from pathlib import Path

import pytest

peers = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "peers.py"))


def line(variant, p50_ms, *, size_mb=20.0):
    return json.dumps({"variant": variant, "batch": 1, "length": 32, "p50_ms": p50_ms, "size_mb": size_mb})


def log(ours_ms, *, ours_mb=19.0):
    olive = [line(name, 2.0 + number) for number, name in enumerate(peers["OLIVE"])]
    rounds = [[*olive, line(peers["OURS"], ours_ms * speed, size_mb=ours_mb)] for speed in (1.0, 1.1, 0.9)]
    return "\n".join(["a warning", *(one for lines in rounds for one in lines)])


def test_of_tries_in_a_row_the_last_counts():
    runs = peers["runs_of"]("\n".join([line("a", 9.0), line("a", 1.0), line("b", 2.0), line("a", 3.0)]))
    assert [one["p50_ms"] for one in runs["1x32"]["a"]] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("ours_ms", "ours_mb", "reached", "said"),
    [
        (1.0, 19.0, True, "0.50 ("),
        (3.9, 19.0, False, "1.95 ("),
        (1.0, 21.0, False, "size: 21.0 MB, Olive int8 default 20.0 MB: no"),
    ],
)
def test_the_verdict_is_against_the_fastest_and_the_smallest(ours_ms, ours_mb, reached, said):
    lines, yes = peers["verdict"](peers["runs_of"](log(ours_ms, ours_mb=ours_mb)))
    assert yes is reached
    assert said in "\n".join(lines)
    assert "of the time of Olive int8 default" in lines[0]


@pytest.mark.parametrize(
    ("ours_ms", "ours_mb", "reached"),
    [(1.4, 19.0, True), (1.6, 19.0, False), (1.9, 9.9, True), (2.3, 9.9, False), (1.4, 20.1, False)],
)
def test_with_factors_one_must_be_reached_and_the_other_no_worse(ours_ms, ours_mb, reached):
    runs = peers["runs_of"](log(ours_ms, ours_mb=ours_mb))
    assert peers["verdict"](runs, faster=1.3, smaller=2.0)[1] is reached


def test_openvino_has_a_line_that_decides_nothing():
    runs = {"1x32": {name: [{"p50_ms": ms}] for name, ms in ((peers["OURS"], 3.0), (peers["OPENVINO"], 2.0))}}
    assert peers["beside_openvino"](runs) == ["1x32: 1.50 (1.50–1.50) of OpenVINO's"]


def test_a_stage_that_is_not_in_the_report_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no stage 'int8' whose artifact is still there; stages: news"):
        peers["artifact"]({"news": {"artifact": None}}, "int8")
