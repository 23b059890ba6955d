"""The tasks: a value that travels with data sets and models; heads and metrics are looked up by it."""

from typing import Literal

Task = Literal["text-classification", "multi-label-classification", "text-regression"]
