"""Whether this process leads or takes part: `torchrun` and `accelerate launch` start one for each device.

The leader finds, makes, records, measures and publishes. The others run the steps that train, because training needs
them all, throw away what they wrote, and go on with what the leader recorded.
"""

import os


def leads() -> bool:
    """True for the first process, and for the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def alone() -> bool:
    """True where no other process works on the same run."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1
