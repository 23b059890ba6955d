"""A lean graph for one text at a time: without `attention_mask`, since nothing is padded.

onnxruntime then takes a quicker way through attention. Rows of one length may still go together. Works on a lean graph,
quantized or not.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from compress.errors import ExportError
from compress.exporting.lean.attention import KEY_MASK, MASK, OPERATOR
from compress.inference.predictor import LOGITS, Predictor
from compress.inference.text_encoder import Text, TextEncoder

TOLERANCE = 0.1
"""Of a logit. A float graph differs by 1e-6; in int8 that may round an activation up instead of down."""


def leave_out_mask(source: Path, target: Path) -> int:
    """Write the graph `source` without its input `attention_mask` to `target`; how many attentions did without.

    Raises: ExportError when something other than onnxruntime's attention reads the mask.
    """
    model = ir.load(source)
    graph = model.graph
    masked = [
        node
        for node in graph
        if node.op_type == OPERATOR and len(node.inputs) > KEY_MASK and node.inputs[KEY_MASK] is not None
    ]
    for node in masked:
        node.replace_input_with(KEY_MASK, None)
    RemoveUnusedNodesPass()(model)
    mask = next((value for value in graph.inputs if value.name == MASK), None)
    if not masked or mask is None or mask.uses():
        raise ExportError(
            f"{source.name} cannot do without {MASK}: only a lean graph can be bundled for one text at a time. "
            "Export it with `graph: lean`, and see that the export did not fall back to the plain graph."
        )
    graph.inputs.remove(mask)
    ir.save(model, target)
    return len(masked)


def check_alone(masked: Predictor, unmasked: Predictor, encoder: TextEncoder, texts: Sequence[Text]) -> float:
    """The largest difference of a logit when each text is asked alone. Raises: ExportError when it is large."""
    batches = [encoder.encode([text]) for text in texts]
    differences = [np.abs(masked.predict(batch)[LOGITS] - unmasked.predict(batch)[LOGITS]).max() for batch in batches]
    largest = float(np.max(differences))  # nan stays nan
    if not largest <= TOLERANCE:
        raise ExportError(
            f"without {MASK} the graph's logits are {largest:.2g} from those with it, more than {TOLERANCE:g}: "
            "bundle it with its mask (`one_text_at_a_time: false`)."
        )
    return largest
