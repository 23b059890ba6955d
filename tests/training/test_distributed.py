"""Two processes of torchrun train one model together."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

SCRIPT = """
import os, sys
from pathlib import Path
from safetensors.torch import save_file
from tests.training.test_fit import Setting

rank = os.environ["RANK"]
setting = Setting(Path(sys.argv[1]) / rank, "distilbert")
report = setting.fit()
save_file(setting.model.state_dict(), Path(sys.argv[1]) / f"{rank}.safetensors")
(Path(sys.argv[1]) / f"{rank}.txt").write_text(f"{report.steps} {report.best['accuracy']}")
"""


@pytest.mark.slow
def test_two_processes_end_with_the_same_model_after_the_same_steps(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script), str(tmp_path)]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *launch], cwd=root, env=environment, check=True, timeout=240)
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert all(first[name].equal(second[name]) for name in first)
    (steps, accuracy), other = ((tmp_path / f"{rank}.txt").read_text().split() for rank in (0, 1))
    assert [steps, accuracy] == other
    assert int(steps) == 60
    assert float(accuracy) > 0.8
