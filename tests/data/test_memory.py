"""A large file streams: the peak of a process of its own is bounded well below the file's size."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from compress.data.csv_file import csv_part
from compress.data.cutting import Cut
from compress.data.prepare import prepare
from compress.data.record import Columns
from compress.progress import Silent

def peak_mb():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000

before = peak_mb()
part = csv_part(Path(sys.argv[1]), columns=Columns(("text",), "label"))
prepare({"train": part}, Path(sys.argv[2]), task="text-classification", labelled=True, text_columns=1,
        cut=Cut(0.1, 0.2), seed=1, progress=Silent())
print(peak_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_file_of_120_mb_needs_less_than_60_mb(tmp_path):
    filler = "some words of a long text, with a comma " * 49
    with (tmp_path / "large.csv").open("w") as file:
        file.write("text,label\n")
        file.writelines(f'"{number} {filler}",c{number % 3}\n' for number in range(60_000))
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "large.csv"), str(tmp_path / "out")]
    grown_mb = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (tmp_path / "large.csv").stat().st_size > 115e6
    assert grown_mb < 60
