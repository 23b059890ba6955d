"""Whether this process leads or takes part: `torchrun` and `accelerate launch` start one for each device.

The leader finds, makes, records, measures and publishes. The others run the same steps, because training needs them
all, throw what they wrote away, and go on with what the leader recorded.
"""

import os


def leads() -> bool:
    """True for the first process, and for the only one."""
    return int(os.environ.get("RANK", "0")) == 0
