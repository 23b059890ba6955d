"""`kind: mixed`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Sensitivity
from compress.chain.sensitivity import MeasuredPart
from compress.chain.step import Input
from compress.frozen import Frozen
from compress.precision import Precision
from compress.steps.exactly_one import one_required, said_one
from compress.steps.quantization.given import Given
from compress.steps.quantization.sensitive import Proof, options_of, parts_in, proof_of, report_about, told
from compress.steps.quantization.target import Target, warn_if_saturating

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized
    from compress.quantization.mixed_choice import Choice
    from compress.quantization.mixed_path import Assignment

GOALS = ("max_drop", "size_mb")
TRIES = 16


class Mixed(Frozen):
    """Each operator in int8, int4 or float, chosen by a sensitivity report so that a drop or a size is kept."""

    model_config = ConfigDict(json_schema_extra=one_required(GOALS))

    kind: Literal["mixed"]
    """How."""
    sensitivity: Input[Sensitivity]
    """The stage that measured the parts of this very model."""
    max_drop: float | None = Field(default=None, ge=0, le=1e6)
    """The smallest model whose main figure (accuracy) is at most so much worse than float, as it is found on
    validation rows."""
    size_mb: float | None = Field(default=None, gt=0, le=100_000)
    """The least loss within 10^6 bytes of all that the model needs to run, tokenizer included, as gates count it."""
    precisions: tuple[Literal["int8", "int4"], ...] = Field(default=("int8", "int4"), min_length=1, max_length=2)
    """What parts may become; the others stay float."""
    rows: int = Field(default=1000, ge=2, le=1_000_000)
    """Validation rows that the assembled model is asked, spread over all."""
    tries: int = Field(default=TRIES, ge=1, le=200)
    """Assembled models that are asked at most, for `max_drop`."""
    target: Target | None = Field(default=None)
    """The processor that it is for; by default one with instructions for int8."""

    @model_validator(mode="after")
    def _exactly_one_goal(self) -> Self:
        if said_one(self, GOALS) == "size_mb" and self.tries != TRIES:
            raise PydanticCustomError("mixed", "`tries` goes with `max_drop`: a size is met without asking the model")
        return self

    @property
    def may_be_batch_invariant(self) -> bool:
        """Whether a text's answer can be the same in any batch: all products are per token or float; it is asked."""
        return True

    @property
    def calibrates(self) -> bool:
        """Whether it looks at texts of a data set."""
        return True

    def apply(self, source: Path, made: Path, given: Given) -> "Quantized":
        """Choose, write the model to `made`, and prove what was asked for.

        Raises: StepError when the report is about another model or lacks a precision; QuantizationError when the drop
            or the size cannot be kept.
        """
        report = report_about(self.sensitivity, given)
        parts = parts_in(report, tuple(dict.fromkeys(self.precisions)), stage=self.sensitivity.stage)
        if self.target is not None:
            self.target.warn_if_elsewhere(given.progress)
        else:
            warn_if_saturating(given.progress)
        proof = proof_of(given, source, made, split=report.split, rows=self.rows)
        mix = _Mix(source, made, parts, block_size=report.block_size, reduce_range=self._reduced())
        choose = self._within_drop if self.size_mb is None else self._within_size
        choice = choose(mix, parts, proof, given)
        found, drop = mix.write(choice.precision), proof.drop()
        details = {"goal": self._goal(), **_counts(parts, choice.precision), **proof.details(choice, drop)}
        became, asked = _in_words(parts, choice.precision), f"{len(proof.rows.encoded)} {proof.split} rows"
        given.progress.say(f"{became}; {proof.rows.primary} drops by {drop:.4g} on {asked}.")
        return replace(found, details={"mixed": details})

    def _reduced(self) -> bool:
        return self.target is not None and self.target.needs_reduced_range()

    def _goal(self) -> dict[str, float]:
        return {goal: value for goal in GOALS if (value := getattr(self, goal)) is not None}

    def _within_drop(self, mix: "_Mix", parts: list[MeasuredPart], proof: Proof, given: Given) -> "Choice":
        from compress.quantization.mixed_choice import within_drop

        assert self.max_drop is not None

        def drop_of(assignment: "Assignment") -> float:
            mix.write(assignment)
            return proof.drop()

        return within_drop(
            options_of(parts), drop_of=told(given, self.tries, drop_of), max_drop=self.max_drop, tries=self.tries
        )

    def _within_size(self, mix: "_Mix", parts: list[MeasuredPart], _proof: Proof, given: Given) -> "Choice":
        from compress.benchmarking.size import GRAPH, model_size_mb
        from compress.quantization.mixed_choice import within_size

        assert self.size_mb is not None
        beside = round(model_size_mb(given.model.path) * 1e6) - (given.model.path / GRAPH).stat().st_size

        def bytes_of(assignment: "Assignment") -> int:
            mix.write(assignment)
            return mix.made.stat().st_size

        return within_size(
            options_of(parts), bytes_of=bytes_of, most_bytes=int(self.size_mb * 1e6), beside_bytes=beside
        )


class _Mix:
    """Writes the model of an assignment."""

    def __init__(
        self, source: Path, made: Path, parts: list[MeasuredPart], *, block_size: int, reduce_range: bool
    ) -> None:
        self.source, self.made = source, made
        self._operators = {one.part: one.operators for one in parts}
        self._block_size, self._reduce_range = block_size, reduce_range

    def write(self, assignment: Mapping[str, Precision]) -> "Quantized":
        """To where the scheme has to write."""
        from compress.quantization.mixed import quantize_mixed

        precision = {name: one for part, one in assignment.items() for name in self._operators[part]}
        return quantize_mixed(
            self.source, self.made, precision=precision, block_size=self._block_size, reduce_range=self._reduce_range
        )


def _counts(parts: list[MeasuredPart], chosen: Mapping[str, Precision]) -> dict[str, int]:
    """Parts by what they became."""
    names = dict.fromkeys(one.part for one in parts)
    became = [chosen.get(name, "float") for name in names]
    return {precision: became.count(precision) for precision in ("int8", "int4", "float")}


def _in_words(parts: list[MeasuredPart], chosen: Mapping[str, Precision]) -> str:
    counts = _counts(parts, chosen)
    return ", ".join(f"{count} parts {precision}" for precision, count in counts.items() if count)
