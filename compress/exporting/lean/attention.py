"""Attention as plain products and a softmax, found and replaced by onnxruntime's `MultiHeadAttention`.

    softmax(scale × Q Kᵀ [+ bias] + mask) V   with Q, K, V (batch, length, heads × head size), uncut

The operator cuts into heads by itself, so no node transposes; padding is masked by the int32 `attention_mask` itself.
Heads are counted by the width of the layer's own keys, so a pruned layer may have fewer. Knows no family by name.
"""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import MatchResult, OrValue, RewriteRuleClassBase, RewriteRuleSet

from compress.exporting.lean.editing import CONTRIB, array_of, insert, sources
from compress.exporting.lean.products import product_of

MASK = "attention_mask"
OPERATOR = "MultiHeadAttention"
QUERY, KEY, VALUE, KEY_MASK, BIAS = 0, 1, 2, 4, 5
"""Places among the operator's inputs."""
MASKED = float(np.finfo(np.float32).min)
"""What is added where there is padding, as PyTorch does; the operator's own -10,000 is too little for wild scores."""


def replace_attention(model: ir.Model) -> int:
    """Replace every attention that is masked by padding alone, in place; how many there were."""
    mask = next((value for value in model.graph.inputs if value.name == MASK), None)
    if mask is None:
        return 0
    key_mask = insert(model.graph[0], "Cast", [mask], attributes={"to": int(ir.DataType.INT32)}).outputs[0]
    rule = _Attention.rule(key_mask)  # type: ignore[no-untyped-call]
    rules = RewriteRuleSet([rule])
    return int(rules.apply_to_model(model))


class _Attention(RewriteRuleClassBase):
    """The rule; the mask is converted once for all layers."""

    def __init__(self, key_mask: ir.Value) -> None:
        super().__init__(OPERATOR)
        self.key_mask = key_mask

    def pattern(
        self, op: Any, query: Any, key: Any, value: Any, split: Any, scale: Any, bias: Any, mask: Any, merge: Any
    ) -> Any:
        """What the exporter writes. `scale` multiplies in BERT and divides in MPNet, which alone has a bias."""
        queries = op.Transpose(op.Reshape(query, split), perm=[0, 2, 1, 3])
        keys = op.Transpose(op.Reshape(key, split), perm=[0, 2, 3, 1])
        values = op.Transpose(op.Reshape(value, split), perm=[0, 2, 1, 3])
        products = op.MatMul(queries, keys)
        scaled = OrValue(
            [op.Mul(products, scale), op.Div(products, scale)], tag_var="scaling", tag_values=["Mul", "Div"]
        )
        biased = OrValue([op.Add(scaled, bias), scaled], tag_var="has_bias", tag_values=[True, False])
        weights = op.Softmax(op.Add(biased, mask), axis=-1)
        return op.Reshape(op.Transpose(op.MatMul(weights, values), perm=[0, 2, 1, 3]), merge)

    def check(  # type: ignore[override]
        self, _: Any, key: ir.Value, split: ir.Value, scale: ir.Value, bias: ir.Value | None, mask: ir.Value, **__: Any
    ) -> MatchResult:
        """Heads and scale are known, and the mask tells padding alone."""
        result = MatchResult()
        if product_of(key) is None or _head_size(split) is None or _number(scale) is None:
            return result.fail("heads or scale are not constant")
        if MASK not in sources(mask) or (bias is not None and MASK in sources(bias)):
            return result.fail("what is masked is not padding")
        return result

    def rewrite(
        self, op: Any, query: Any, key: Any, value: Any, split: Any, scale: Any, bias: Any, scaling: str, **_: Any
    ) -> Any:
        """One operator instead of ten."""
        product, head_size, factor = product_of(key), _head_size(split), _number(scale)
        assert product is not None
        assert head_size is not None
        assert factor is not None
        return op.MultiHeadAttention(
            query, key, value, None, self.key_mask, bias, _domain=CONTRIB,
            num_heads=product.width // head_size, scale=factor if scaling == "Mul" else 1 / factor,
            mask_filter_value=MASKED,
        )  # fmt: skip


def _head_size(split: ir.Value) -> int | None:
    """The last number of the shape (batch, length, heads, head size), one of which is -1."""
    node = split.producer()
    last = array_of(split if node is None else node.inputs[-1])
    return int(last.reshape(-1)[-1]) if last is not None and last.size and last.reshape(-1)[-1] > 0 else None


def _number(value: ir.Value) -> float | None:
    numbers = array_of(value)
    return float(numbers.reshape(())) if numbers is not None and numbers.size == 1 else None
