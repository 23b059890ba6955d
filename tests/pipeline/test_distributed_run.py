"""A whole run under torchrun: every process trains, one of them records, measures and publishes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.pipeline.show import read_report
from tests.pipeline.small_run import write_project


@pytest.mark.slow
def test_a_run_under_torchrun_passes_once(tmp_path):
    write_project(tmp_path)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "compress"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, "run", "small.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report: runs/small/report.html") == 1
    report = read_report(tmp_path / "runs" / "small" / "report.json")
    assert report.passed
    assert {stage.status for stage in report.stages} == {"ran"}
