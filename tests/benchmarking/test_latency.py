import sys
from pathlib import Path

import pytest

from compress.benchmarking import workers
from compress.benchmarking.latency import Variant, compare_latency, latency_ratio, measure, summary, tail_ms
from compress.benchmarking.rounds import Round, Turn
from compress.errors import MeasurementError
from compress.progress import Silent
from tests.benchmarking.onnx_folder import onnx_folder
from tests.benchmarking.test_rounds import FakeTurns

TEXTS = ["the bank shares won", "goal", "the team won the goal"]


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch):
    monkeypatch.setattr(workers, "TURN_SECONDS", 0.03)


def compare(variants, shapes=((1, 8),), rounds=3):
    return compare_latency(variants, shapes=shapes, texts=TEXTS, threads=1, rounds=rounds, progress=Silent())


def test_real_models_are_timed_in_processes_of_their_own(tmp_path):
    small = Variant("small", onnx_folder(tmp_path / "small"), "onnxruntime")
    large = Variant("large", onnx_folder(tmp_path / "large", classes=400), "onnxruntime")
    measured = compare([small, large], shapes=[(1, 8), (16, 256)])
    assert [one.name for one in measured] == ["small", "large"]
    assert [one.shape for one in measured[0].shapes] == [(1, 8), (16, 256)]
    latency = measured[1].at((16, 256))
    assert 0 < latency.p50_ms <= latency.p95_ms
    assert len(latency.round_medians_ms) == 3
    assert latency.calls >= 15
    assert (latency.threads, latency.runtime) == (1, "onnxruntime")
    assert latency_ratio(measured[1], measured[0], (16, 256)).value > 2  # 130 times the sums


def test_a_model_that_cannot_be_opened_is_named_with_what_its_process_said(tmp_path):
    folder = onnx_folder(tmp_path / "broken")
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(
        MeasurementError, match=r"(?s)'int8' ended while opening its model \(exit status 1\).*ModelError"
    ):
        compare([Variant("int8", folder, "onnxruntime")])


def test_a_shape_beyond_the_models_positions_is_refused_before_anything_starts(tmp_path):
    folder = onnx_folder(tmp_path / "short", positions=64)
    with pytest.raises(MeasurementError, match=r"'short' takes 64 tokens at most, the shape \[1, 65\] has 65"):
        compare([Variant("short", folder, "onnxruntime")], shapes=[(1, 65)])


def test_names_must_differ():
    same = Variant("same", Path(), "torch")
    with pytest.raises(MeasurementError, match="names of their own, found same, same"):
        compare([same, same])


def test_a_shape_that_stayed_disturbed_is_marked_and_warned_of():
    progress = Silent()
    taken = measure(FakeTurns([5.0] * 8), ["A", "B"], shapes=[(1, 8), (2, 8)], rounds=3, progress=progress)
    figures = summary(Variant("A", Path(), "torch"), (1, 8), taken[1, 8], threads=2)
    assert (figures.disturbed, figures.disturbed_rounds) == (True, 1)
    assert not summary(Variant("A", Path(), "torch"), (2, 8), taken[2, 8], threads=2).disturbed
    assert "busy in 1 of 3 rounds at 1 x 8," in progress.warnings[0]


def test_p50_is_the_median_of_the_rounds_medians():
    rounds = [Round({"A": Turn(times)}) for times in ((1.0, 2.0, 3.0), (5.0,) * 99, (4.0, 4.0))]
    figures = summary(Variant("A", Path(), "torch"), (1, 8), rounds, threads=2)
    assert (figures.p50_ms, figures.round_medians_ms, figures.calls) == (4.0, (2.0, 5.0, 4.0), 104)


def test_p95_gives_every_round_the_same_weight():
    assert tail_ms([[1.0] * 300, [100.0] * 5, [100.0] * 5]) == 100.0
    assert tail_ms([list(range(1, 101))]) == 95


def test_importing_it_needs_no_torch():
    import subprocess

    code = "import sys, compress.benchmarking.latency, compress.benchmarking.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_checkpoint_is_timed_in_pytorch_beside_its_graph(tmp_path):
    from tests.tiny import tiny_checkpoint

    torch = Variant("torch", tiny_checkpoint(tmp_path / "checkpoint"), "torch")
    measured = compare([torch, Variant("onnx", onnx_folder(tmp_path / "onnx"), "onnxruntime")])
    assert [one.at((1, 8)).runtime for one in measured] == ["torch", "onnxruntime"]
    assert measured[0].at((1, 8)).p50_ms > 0
