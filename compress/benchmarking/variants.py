"""What is compared and what came out of it: plain values, no clock and no process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compress.adapters.set_file import SET_FILE

Runtime = Literal["torch", "onnxruntime"]
Shape = tuple[int, int]  # texts a call, tokens a text


@dataclass(frozen=True)
class Variant:
    """One model in one runtime.

    Attributes:
        name: unique in a comparison; stands in messages.
        folder: holds the weights or the graph, and the tokenizer; or a set of adapters.
        runtime: what runs it.
        base_folder: for a LoRA delta that is run unmerged, as peft does; else None.
    """

    name: str
    folder: Path
    runtime: Runtime
    base_folder: Path | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is a set of adapters, whose rows use them in turn."""
        return (self.folder / SET_FILE).is_file()

    @property
    def model_folder(self) -> Path:
        """Where configuration and tokenizer lie: of a set, beside its graph."""
        return self.folder / "base" if self.is_set else self.folder


@dataclass(frozen=True)
class ShapeLatency:
    """One model at one shape.

    Attributes:
        batch_size: texts a call.
        length: tokens a text, special tokens included.
        threads: of the runtime, inside one operator.
        runtime: what ran it.
        p50_ms: median of the rounds' medians.
        p95_ms: 95th percentile of all timed calls, every round with the same weight.
        round_medians_ms: one a round; rounds of the variants of one comparison belong together by position.
        calls: timed calls, all rounds together.
        disturbed_rounds: rounds in which other processes were busy in spite of all tries.
    """

    batch_size: int
    length: int
    threads: int
    runtime: Runtime
    p50_ms: float
    p95_ms: float
    round_medians_ms: tuple[float, ...]
    calls: int
    disturbed_rounds: int = 0

    @property
    def shape(self) -> Shape:
        """Texts a call, tokens a text."""
        return self.batch_size, self.length

    @property
    def disturbed(self) -> bool:
        """Whether other processes were busy in some round, in spite of all tries."""
        return self.disturbed_rounds > 0


@dataclass(frozen=True)
class VariantLatency:
    """One model at every shape, in the order in which the shapes were given."""

    name: str
    shapes: tuple[ShapeLatency, ...]

    def at(self, shape: Shape) -> ShapeLatency:
        """The figures at one shape. Raises: KeyError when it was not measured."""
        for latency in self.shapes:
            if latency.shape == tuple(shape):
                return latency
        raise KeyError(shape)
