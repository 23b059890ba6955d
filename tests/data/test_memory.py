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

def load(name):
    out = Path(name + "-out")
    out.mkdir()
    part = csv_part(Path(name), columns=Columns(("text",), "label"))
    prepare({"train": part}, out, task="text-classification", labelled=True, text_columns=1,
            cut=Cut(0.1, 0.2), seed=1, progress=Silent())

load(sys.argv[1])  # libraries load lazily
before = peak_mb()
load(sys.argv[2])
print(peak_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_sixty_megabytes_need_less_than_half_of_that(tmp_path):
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    write(small, rows=100)
    write(large, rows=30_000)
    command = [sys.executable, "-c", PROGRAM, str(small), str(large)]
    grown_mb = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert large.stat().st_size > 57e6
    assert grown_mb < 30


def write(path, *, rows):
    filler = "some words of a long text, with a comma " * 49
    with path.open("w") as file:
        file.write("text,label\n")
        file.writelines(f'"{number} {filler}",c{number % 3}\n' for number in range(rows))
