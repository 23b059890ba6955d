import numpy as np
import pytest

from benchmarks.serving_parts.asking import Asked
from benchmarks.serving_parts.outcome import Outcome
from benchmarks.serving_parts.servers import Memory
from benchmarks.serving_parts.throughput_report import MERGED, SET, Cell, cell_findings, cell_table, memory_finding
from benchmarks.serving_parts.workloads import Workload

SHORT, LONG = Workload("zipf", (4, 48), 64), Workload("uniform", (128, 128), 64)


def asked(latency_ms, *, late_ms=0.0, served=1.0, seconds=10.0, rate=100.0):
    due = np.arange(0, seconds, 1 / rate)
    done = due / served + latency_ms / 1000
    outcome = Outcome(due, due + late_ms / 1000, done, np.full(len(due), 200), seconds)
    return Asked(outcome, 0.0, 0.5, 0.1, {})


def cell(workload=SHORT, *, ours=(150.0, 160.0, 170.0), p95=(20.0, 30.0), others_cores=0.0, late_ms=0.0, served=1.0):
    at_80 = {SET: asked(p95[0], late_ms=late_ms), MERGED: asked(p95[1])}
    at_capacity = {SET: asked(50.0, served=served), MERGED: asked(60.0)}
    return Cell(workload, {SET: list(ours), MERGED: [100.0, 100.0, 100.0]}, at_capacity, at_80, others_cores)


def verdicts(one):
    return [finding.verdict for finding in cell_findings(one)]


def test_the_ratio_is_the_median_of_the_rounds():
    throughput, p95 = cell_findings(cell())
    assert throughput.found.startswith("1.60 x (")
    assert p95.found == "20.0 ms against 30.0 ms"
    assert verdicts(cell()) == ["yes", "yes"]


def test_a_ratio_below_what_is_needed_is_no():
    assert verdicts(cell(ours=(130.0, 130.0, 130.0))) == ["no", "yes"]


def test_long_texts_need_less():
    assert verdicts(cell(LONG, ours=(96.0, 96.0, 96.0))) == ["yes", "yes"]
    assert verdicts(cell(LONG, ours=(94.0, 94.0, 94.0))) == ["no", "yes"]


def test_a_worse_tail_at_the_same_rate_is_no():
    assert verdicts(cell(p95=(31.0, 30.0))) == ["yes", "no"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"others_cores": 1.0}, "other processes took 1.00 cores"),
        ({"late_ms": 40.0}, "the generator was 40 ms late"),
        ({"served": 0.9}, f"{SET}: the rate that was found is not sustained"),
    ],
)
def test_a_measurement_that_is_worth_nothing_gets_no_verdict(changed, why):
    for verdict in verdicts(cell(**changed)):
        assert verdict.startswith(f"no verdict: {why}")


def test_the_table_shows_both_at_both_rates():
    lines = cell_table(cell()).splitlines()
    assert lines[0] == "**64 adapters, zipf, 4 to 48 tokens**"
    assert lines[4].startswith(f"| {SET} at capacity | 160.0 (")
    assert "| 80.0 | 100.0 | 20.0 | 20.0 | 20.0 | 100.00% | 5.00 | 0.50 | 0.10 |" in lines[6]
    assert {line.count("|") for line in lines[2:]} == {11}


def test_memory_is_compared_without_what_the_server_itself_takes():
    memory = {SET: Memory(200, 160), MERGED: Memory(2200, 2060)}
    finding = memory_finding(memory, Memory(80, 60))
    assert finding.found == "100 MB against 2000 MB, 1/20.0 (whole processes 1/12.9)"
    assert finding.verdict == "yes"
    assert memory_finding(memory, Memory(80, 50)).verdict == "no"


def test_the_cpu_time_of_a_request_is_of_the_answered_ones():
    assert asked(5.0).server_ms_a_request == pytest.approx(5.0)  # half a core, 100 answers a second
