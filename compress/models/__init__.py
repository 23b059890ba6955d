"""Models on disk and in memory: loading, heads, layers; knows no data and no training."""

import logging

# peft imports bitsandbytes, which advises to install a kernel for 4-bit products as soon as it is imported.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
