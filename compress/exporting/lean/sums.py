"""What goes into a LayerNormalization is summed by `Sum`, in one pass and out of onnxruntime's reach.

When it loads a graph whose shapes it can infer, onnxruntime fuses Add + LayerNormalization into SkipLayerNormalization,
which is several times slower on the CPU (1.31). It leaves Sum + LayerNormalization alone: the same arithmetic.
"""

import onnx_ir as ir

from compress.exporting.lean.editing import insert


def sum_before_norms(graph: ir.Graph) -> int:
    """Replace, in place, the sums of activations that norms read; how many norms."""
    norms = [node for node in graph if node.op_type == "LayerNormalization"]
    changed = 0
    for norm in norms:
        value = norm.inputs[0]
        assert value is not None
        terms = _terms(value)
        if len(terms) > 1:
            norm.replace_input_with(0, insert(norm, "Sum", terms).outputs[0])
            changed += 1
    return changed


def _terms(value: ir.Value) -> list[ir.Value]:
    """Summands, of sums of sums too; a sum with a constant is one: its bias melts into the product before it."""
    node = value.producer()
    if node is None or node.op_type != "Add" or len(value.uses()) != 1 or value.is_graph_output():
        return [value]
    given = [one for one in node.inputs if one is not None]
    if any(one.is_initializer() for one in given):
        return [value]
    return [term for one in given for term in _terms(one)]
