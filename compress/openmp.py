"""How long PyTorch's threads spin while they wait for each other; it must be said before torch is loaded.

At the end of each parallel piece of work a thread waits for the others. GNU OpenMP spins for milliseconds (300,000
turns) before it sleeps; where another program needs a core, the thread that is waited for does not run meanwhile,
because the waiting one burns its core. With 1,000 turns, some microseconds, a training on two busy cores took a quarter
of the time (docs/log.md).

Only for our own work: what is timed runs as an application would run it (`untouched`).
"""

import os
from collections.abc import Mapping

SPINS = "GOMP_SPINCOUNT"
POLICY = "OMP_WAIT_POLICY"
TURNS = "1000"

_ours = False


def spin_briefly() -> None:
    """Set it for this process, unless the user has chosen; no effect once torch is loaded."""
    global _ours
    if SPINS not in os.environ and POLICY not in os.environ:
        os.environ[SPINS] = TURNS
        _ours = True


def untouched(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as the user had it: for child processes whose speed is measured."""
    return {name: value for name, value in environ.items() if not (_ours and name == SPINS)}
