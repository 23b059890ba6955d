"""Teachers that run while a student trains: their weights held as that needs them, and given back as they were.

Knows modules; not what is read out of them (`watch`), nor who runs them (`loss`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import nn

from compress.models.quantized_layers import on_device
from compress.training.frozen_weights import frozen_rounded_once
from compress.training.precision import Computed


@contextmanager
def held(teachers: Sequence[nn.Module], computed: Computed) -> Iterator[None]:
    """Inside, the teachers' weights need no gradient, and autocast finds those of products rounded already.

    Args:
        teachers: run under autocast inside, perhaps on a GPU; afterwards they are as before, on the CPU.
        computed: the format of the products.
    """
    trained = [weights for teacher in teachers for weights in teacher.parameters() if weights.requires_grad]
    _need_gradients(trained, needed=False)
    try:
        with ExitStack() as stack:
            for teacher in teachers:
                stack.enter_context(frozen_rounded_once(teacher, computed))
            yield
    finally:
        for teacher in teachers:
            on_device(teacher, "cpu")
        _need_gradients(trained, needed=True)


def _need_gradients(weights: Sequence[nn.Parameter], *, needed: bool) -> None:
    for one in weights:
        one.requires_grad_(needed)
