"""`adapter_set`: one base graph that answers with any of several LoRA deltas, row by row."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, field_validator

from compress.adapters.names import check_name
from compress.chain import artifacts
from compress.chain.step import Input, Loc, Step, Workspace
from compress.errors import AdapterError
from compress.steps.adapters.checks import about_base, about_different_bases, about_ranks
from compress.steps.quantize import Scheme

HOW_TO_QUANTIZE = "write `scheme: {kind: dynamic_int8, per_token: true}`"


class AdapterSet(Step):
    """Put deltas on one base into a set that `compress serve` answers with: one model in memory, many tasks."""

    step: Literal["adapter_set"]
    deltas: dict[str, Input[artifacts.LoraDelta]] = Field(min_length=1, max_length=10_000)
    """The adapters: what each is called in the set, and the stage that made its delta. All were trained on one base."""
    base: Input[artifacts.Checkpoint | artifacts.OnnxModel] | None = None
    """The stage whose model the deltas are put on, exported or quantized or neither: the very one that they were
    trained on, or one with a head of its own on the same encoder; by default their own pretrained base, exported."""
    scheme: Scheme | None = None
    """How a float base is quantized, before the adapters come in; by default it stays float."""
    max_rank: int | None = Field(default=None, ge=1, le=4096)
    """The highest rank that the set will ever take; by default that of its deltas."""
    max_labels: int | None = Field(default=None, ge=1, le=10_000)
    """The most labels that an adapter of the set will ever have; by default those of its deltas."""
    slots: int = Field(default=64, ge=2, le=65_536)
    """Adapters in memory at once when it is served, the base counted; others are loaded when they are asked for."""
    ort_lora: bool = False
    """Also a graph for ONNX Runtime's own `LoraAdapter`, one adapter a call, from C++, C# or JavaScript; and an
    `.onnx_adapter` in every version."""

    @field_validator("deltas")
    @classmethod
    def _good_names(cls, deltas: dict[str, Input[artifacts.LoraDelta]]) -> dict[str, Input[artifacts.LoraDelta]]:
        try:
            for name in deltas:
                check_name(name)
        except AdapterError as error:
            raise ValueError(str(error)) from error
        return deltas

    @field_validator("scheme")
    @classmethod
    def _same_in_any_batch(cls, scheme: Scheme | None) -> Scheme | None:
        if scheme is not None and not scheme.may_be_batch_invariant:
            raise ValueError(
                f"an adapter's answer must not depend on the rows of other adapters beside it: {HOW_TO_QUANTIZE}"
            )
        return scheme

    @field_validator("scheme")
    @classmethod
    def _needs_no_data(cls, scheme: Scheme | None) -> Scheme | None:
        if scheme is not None and scheme.calibrates:
            raise ValueError(f"a set's base has no task of its own, so no data to calibrate on: {HOW_TO_QUANTIZE}")
        return scheme

    def measured_parts(self) -> Mapping[str, str]:
        """The adapters, each held against its own delta."""
        return {name: edge.stage for name, edge in self.deltas.items()}

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """One base for all, a base stage that they were trained on, and ranks that fit."""
        yield from about_different_bases(self.measured_parts(), earlier)
        yield from about_ranks(self.measured_parts(), earlier, max_rank=self.max_rank)
        if self.base is not None:
            yield from about_base(
                self.base.stage,
                self.measured_parts(),
                earlier,
                scheme_given=self.scheme is not None,
                advice=HOW_TO_QUANTIZE,
            )

    def run(self, workspace: Workspace) -> artifacts.AdapterSet:
        """Export or take the base, quantize it, give it adapter inputs, put the deltas beside it, and prove it.

        Raises: AdapterError when a delta cannot be part of the set; ExportError when the graph has no place for it.
        """
        from compress.steps.adapters.base import check_one_base, prepared_base
        from compress.steps.adapters.describing import set_manifest
        from compress.steps.adapters.limits import limits_of
        from compress.steps.adapters.making import make_set, proof_texts
        from compress.steps.adapters.proving import prove

        deltas = {name: workspace.load(edge) for name, edge in self.deltas.items()}
        check_one_base(deltas)
        limits = limits_of(deltas, max_rank=self.max_rank, max_labels=self.max_labels)
        base = workspace.load(self.base) if self.base is not None else None
        texts = {name: proof_texts(workspace.dataset_of(delta).path) for name, delta in deltas.items()}
        first, *_ = texts.values()
        with prepared_base(base, list(deltas.values()), workspace, scheme=self.scheme, texts=first) as found:
            set_file = make_set(
                found, deltas, workspace.out, limits=limits, texts=first, slots=self.slots, ort_lora=self.ort_lora
            )
        proof = prove(workspace.out, deltas, texts, workspace, is_float=found.scheme is None, ort_lora=self.ort_lora)
        manifest = set_manifest(found, set_file, deltas, needs=limits.needs, step=self.step, proof=proof)
        manifest.write(workspace.out)
        return artifacts.AdapterSet(workspace.out, "")
