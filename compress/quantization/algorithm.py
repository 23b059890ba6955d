"""The ways in which a product's weights find their codes in blocks; the words only, so that nothing heavy is read."""

from typing import Literal

Algorithm = Literal["rtn", "hqq", "gptq"]
