"""A run that is killed or interrupted loses only the stage in flight."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compress.pipeline.plan import plan_file

LONG = "student.training={steps: 200000, early_stopping: 0}"


def start(folder: Path) -> subprocess.Popen[str]:
    """The pipeline with a student that would train for an hour; returns once it trains."""
    # A job in the background of a shell ignores SIGINT, and so would its children.
    code = "import signal; signal.signal(2, signal.default_int_handler); from compress.cli import main; main()"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, "run", "small.yaml", "--set", LONG]
    process = subprocess.Popen(command, cwd=folder, env=environ, text=True, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("student …"):  # its bar is open: it trains
            return process
    raise AssertionError(f"ended with {process.wait()} before it trained")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_only_the_stage_in_flight_is_lost(project, how, code):
    process = start(project.folder)
    process.send_signal(how)
    said = process.stderr.read()
    assert process.wait(60) == code
    assert "Traceback" not in said
    assert ("run the same command again to go on" in said) is (how == signal.SIGINT), "a killed one says nothing"
    rows = plan_file(project.file, overrides=[LONG], store=project.folder / ".compress")
    assert [row.name for row in rows if not row.reused] == [
        "student",
        "aware",
        "nf4",
        "onnx",
        "sensitive",
        "int8",
        "edge",
    ]
    report = project.run()
    assert {stage.status for stage in report.stages} == {"reused"}, "what was finished before is untouched"
