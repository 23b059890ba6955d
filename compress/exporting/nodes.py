"""How many nodes of which operator a graph has, as it lies in the file and after onnxruntime's basic optimisation."""

import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime


def count_nodes(file: Path) -> dict[str, int]:
    """Nodes by operator, most frequent first; the weights are not read."""
    graph = onnx.load(file, load_external_data=False).graph
    return dict(Counter(node.op_type for node in graph.node).most_common())


def count_optimised(file: Path, *, basic: bool = True) -> dict[str, int]:
    """Nodes by operator after onnxruntime removed what is redundant.

    Args:
        file: a model that onnxruntime can run.
        basic: only what holds for every processor (constants folded, no-ops removed); else all it does when it loads.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "model.onnx"
        save_optimised(file, optimised, basic=basic)
        return count_nodes(optimised)


def save_optimised(file: Path, optimised: Path, *, basic: bool = True) -> None:
    """The graph as onnxruntime runs it, weights inside."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the file suits this machine only: it is looked at, not kept
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_BASIC if basic else level.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
