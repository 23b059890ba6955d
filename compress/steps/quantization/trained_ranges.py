"""`ranges: trained`: those that `train_quantized` left in the checkpoint that a graph was exported from."""

from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import ModelError, StepError
from compress.steps.quantization.given import Given
from compress.steps.quantization.quantization_file import QUANTIZATION, QuantizationFile
from compress.steps.quantization.trainable import WORD, trained_for

if TYPE_CHECKING:
    from compress.quantization.calibration_methods import Ranges

WEIGHTS = "model.safetensors"


def trained_ranges(source: Path, given: Given) -> "Ranges":
    """(low, high) of every activation that a product of the float graph `source` reads.

    Raises: StepError when its weights were not trained with ranges; ModelError, QuantizationError when file or graph do
        not fit.
    """
    import onnx
    from safetensors import safe_open

    from compress.quantization.trained_ranges import TrainedLayer, ranges_of_products

    scheme = trained_for(given.model.manifest) or {}
    if scheme.get("kind") != "static_int8":
        raise StepError(
            f"ranges: trained needs a model that {WORD} made for static_int8 and that was exported as it is: name that "
            "one, or calibrate (`ranges: minmax`)."
        )
    folder = given.workspace.checkpoint_of(given.model).path
    said = QuantizationFile.read(folder).ranges
    with safe_open(folder / WEIGHTS, framework="numpy") as tensors:
        if missing := {f"{name}.weight" for name in said} - set(tensors.keys()):
            some = ", ".join(sorted(missing)[:5])
            raise ModelError(
                f"{folder / QUANTIZATION} has ranges for layers that {WEIGHTS} lacks: {some}. Make the stage again."
            )
        layers = {name: TrainedLayer(tensors.get_tensor(f"{name}.weight"), ends) for name, ends in said.items()}
    return ranges_of_products(onnx.load(source), layers)
