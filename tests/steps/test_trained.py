"""The last good state of a training that broke is kept once for what should have been made."""

from pathlib import Path

import pytest

from compress.errors import TrainingError
from compress.steps.trained import last_good_kept
from compress.training.trainer import LossNotFiniteError
from tests.tiny import TinyWorkspace


@pytest.mark.parametrize(("key", "step", "built"), [("a", 10, 1), ("b", 10, 2), ("a", 11, 2)])
def test_the_key_and_the_step_decide_which_last_good_state_is_found(
    key: str, step: int, built: int, tmp_path: Path
) -> None:
    here = TinyWorkspace(tmp_path / "out", {}, key="a")
    _break(here, at=10)
    here.key = key
    kept = _break(here, at=step)
    assert here.built == built
    assert (kept / "weights").read_text() == f"best before {10 if built == 1 else step}"


def test_a_state_that_was_not_validated_says_so(tmp_path: Path) -> None:
    workspace = TinyWorkspace(tmp_path / "out", {}, key="a")
    with (
        pytest.raises(TrainingError, match=r"The last good checkpoint, of step 4 \(not validated\), is kept in "),
        last_good_kept(workspace, lambda folder: None),
    ):
        raise LossNotFiniteError(6, float("nan"), 4, {})


def _break(workspace: TinyWorkspace, *, at: int) -> Path:
    """Where the error says that the state is kept."""

    def save(folder: Path) -> None:
        (folder / "weights").write_text(f"best before {at}")

    with pytest.raises(TrainingError, match="is kept in ") as caught, last_good_kept(workspace, save):
        raise LossNotFiniteError(at, float("nan"), 5, {"loss": 1.0})
    return Path(str(caught.value).rsplit("is kept in ", 1)[1].removesuffix("."))
