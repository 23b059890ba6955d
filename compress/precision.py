"""In how many bits a part of a model is, and how; shared by the rooms, as `task` is."""

from typing import Literal

Quantized = Literal["int8", "int4", "static_int8"]
"""int8: weights in 8 bits, activations scaled token by token. int4: the same, with weights of 4 bits in the file.
static_int8: weights in 8 bits, activations scaled by constants that were calibrated."""

Precision = Literal["float"] | Quantized
