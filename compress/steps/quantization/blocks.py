"""The sizes of blocks that onnxruntime's operators know."""

from typing import Literal

BlockSize = Literal[16, 32, 64, 128, 256]
