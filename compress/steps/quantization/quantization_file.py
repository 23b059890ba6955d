"""`quantization.json` beside a checkpoint: the scheme that its weights were trained for, and its trained ranges."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from compress.errors import ModelError
from compress.frozen import Frozen
from compress.writing import write_text

QUANTIZATION = "quantization.json"


class QuantizationFile(Frozen):
    """The file."""

    version: Literal[1] = 1
    """Of this shape of file."""
    scheme: dict[str, Any]
    """As `quantize` takes it."""
    ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Of what linear layers read, by the layer's name: the smallest and the largest value that are told from others."""

    def write(self, folder: Path) -> None:
        """Beside the checkpoint's other files."""
        write_text(folder / QUANTIZATION, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "QuantizationFile":
        """Raises: ModelError when there is none, or it is damaged or of a newer version."""
        try:
            return cls.model_validate_json((folder / QUANTIZATION).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ModelError(f"{folder / QUANTIZATION} cannot be read: {first}. Make the stage again.") from error
