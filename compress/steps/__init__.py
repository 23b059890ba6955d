"""The YAML words: one thin file a step, and the one literal union that registers them.

Importing this module is cheap: steps import the heavy rooms inside `run`.
"""

from typing import Annotated

from pydantic import Field

from compress.steps.adapter_set import AdapterSet
from compress.steps.bundle import Bundle
from compress.steps.combine_lora import CombineLora
from compress.steps.distill import Distill
from compress.steps.export_onnx import ExportOnnx
from compress.steps.extract_lora import ExtractLora
from compress.steps.finetune import Finetune
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.load_data import LoadData
from compress.steps.merge_lora import MergeLora
from compress.steps.prune import Prune
from compress.steps.quantize import Quantize
from compress.steps.quantize_torch import QuantizeTorch
from compress.steps.sensitivity import MeasureSensitivity
from compress.steps.train_quantized import TrainQuantized

AnyStep = Annotated[
    LoadData
    | Finetune
    | FinetuneLora
    | MergeLora
    | CombineLora
    | ExtractLora
    | Distill
    | Prune
    | TrainQuantized
    | ExportOnnx
    | MeasureSensitivity
    | Quantize
    | QuantizeTorch
    | AdapterSet
    | Bundle,
    Field(discriminator="step"),
]

__all__ = ["AnyStep"]
