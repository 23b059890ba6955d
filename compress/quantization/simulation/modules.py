"""Linear layers and embeddings that answer as the quantized graph does, and train the weights of a plain one.

Products are of codes, which are whole numbers: exact in float32 as long as a sum stays below 2^24, and each code is
exact in bf16 too, so that training under autocast keeps the grid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from compress.quantization.embeddings import NARROWEST
from compress.quantization.per_token import LARGEST
from compress.quantization.simulation.activations import by_batch, by_token
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.ranges import MovingRange
from compress.quantization.simulation.rounding import (
    as_stored,
    block_scales,
    column_scales,
    in_blocks,
    in_half,
    scales_kept,
    to_codes,
)

REDUCED = 64
"""The largest code of a weight where int8 products saturate."""


class SimulatedLinear(nn.Linear):
    """Has the parameters of `plain` itself, so that what trains here trains there.

    Args:
        plain: whose place it takes.
        arithmetic: of the graph.
        within: the range of what it reads, where activations are scaled by range.
        leads: whether that range follows what this layer reads; else another layer does that.
    """

    def __init__(
        self, plain: nn.Linear, arithmetic: Arithmetic, within: MovingRange | None = None, *, leads: bool = True
    ) -> None:
        super().__init__(plain.in_features, plain.out_features, bias=False, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self._arithmetic = arithmetic
        self._within, self._leads = within, leads
        self.train(plain.training)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """`input`: (…, inputs), float; the answer is float32."""
        codes, scales = self._quantized(input.float())
        weights, weight_scales = self._codes(self._stored())
        summed = _product(codes, weights) * as_stored(weight_scales) * scales
        return summed if self.bias is None else summed + as_stored(self.bias)

    def on_grid(self) -> Tensor:
        """Weights that quantization keeps as they are: what the file says of the trained ones."""
        if self._arithmetic.weight_block_size is not None:
            return self._stored()
        codes, scales = self._codes(self.weight)
        return codes * as_stored(scales)[:, None]

    def _quantized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self._arithmetic.first_tokens
        read = x if tokens is None else x[:, :tokens]
        if self._within is not None:
            if self._leads:
                self._within.follow(read)
            codes, scales = self._within(x)
            return codes, scales
        return by_token(x) if self._arithmetic.activations == "by_token" else by_batch(x, read)

    def _stored(self) -> Tensor:
        """The weights that the int8 codes are made of: as they are, or as 4 bits say them."""
        if self._arithmetic.weight_block_size is None:
            return self.weight
        codes, scales = in_blocks(self.weight, self._arithmetic.weight_block_size)
        return codes * scales

    def _codes(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """int8 codes (outputs, inputs) and their scales, (outputs,) or (1,).

        Codes of weights in 4 bits are made by onnxruntime when it loads the file, of scales as that holds them.
        """
        largest = REDUCED if self._arithmetic.reduce_range else LARGEST
        scales = column_scales(weights, per_channel=self._arithmetic.per_channel, largest=largest)
        made_when_loaded = self._arithmetic.weight_block_size is not None
        divisors = as_stored(scales) if made_when_loaded else scales
        low, high = (-LARGEST - 1, LARGEST) if made_when_loaded else (-largest, largest)
        return to_codes(weights / divisors[:, None], low, high), scales


class SimulatedEmbedding(nn.Embedding):
    """Has the table of `plain` itself; only the rows that are looked up are rounded, since each has its own scales.

    Args:
        plain: whose place it takes.
        arithmetic: of the graph.
        held: a row that does not train.
    """

    def __init__(self, plain: nn.Embedding, arithmetic: Arithmetic, *, held: int | None = None) -> None:
        super().__init__(
            plain.num_embeddings, plain.embedding_dim,
            padding_idx=plain.padding_idx if held is None else held, max_norm=plain.max_norm,
            norm_type=plain.norm_type, scale_grad_by_freq=plain.scale_grad_by_freq, sparse=plain.sparse, device="meta",
        )  # fmt: skip
        self.weight = plain.weight
        self.train(plain.training)
        fits_blocks = plain.embedding_dim >= NARROWEST and plain.embedding_dim % 2 == 0
        self._block_size = arithmetic.embedding_block_size if arithmetic.embedding_bits == 4 and fits_blocks else None
        self._kept_in = scales_kept(self._scales(self.weight.detach()))

    @override
    def forward(self, input: Tensor) -> Tensor:
        """`input`: integers, any shape; rounded rows (…, width)."""
        return self._rounded(super().forward(input))

    def on_grid(self) -> Tensor:
        """The table as quantization keeps it."""
        return self._rounded(self.weight)

    def _rounded(self, rows: Tensor) -> Tensor:
        if self._block_size is None:
            scales = self._kept_in(self._scales(rows.detach()))
            return to_codes(rows / scales, -LARGEST, LARGEST) * scales
        codes, scales = in_blocks(rows, self._block_size, kept_in=self._kept_in)
        found = codes * scales
        if self._kept_in is not in_half:
            return found
        return found + (found.half().float() - found).detach()  # the operator answers in the type of its scales

    def _scales(self, rows: Tensor) -> Tensor:
        if self._block_size is None:
            return rows.abs().amax(dim=-1, keepdim=True) / LARGEST
        return block_scales(rows, self._block_size)


def _product(codes: Tensor, weights: Tensor) -> Tensor:
    """The sums of codes; they are too large for fp16, so autocast to that is left out."""
    device = codes.device.type
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        with torch.autocast(device, enabled=False):
            return functional.linear(codes, weights)
    return functional.linear(codes, weights)
