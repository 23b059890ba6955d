"""`target`: the processor that a model is quantized for."""

from typing import Literal

from pydantic import Field, field_validator

from compress.frozen import Frozen
from compress.progress import Progress
from compress.quantization.target import Cpu, cpu_of, needs_reduced_range


class Target(Frozen):
    """Where the model will run."""

    cpu: Cpu | Literal["native"] = Field(default="native", validate_default=True)
    """Its instructions for int8 products; `native` becomes this machine's at once, so that the key names them."""

    @field_validator("cpu")
    @classmethod
    def _filled_in(cls, cpu: Cpu | Literal["native"]) -> Cpu:
        if cpu != "native":
            return cpu
        here = this_cpu()
        if here is None:
            raise ValueError("cannot tell this machine's instruction sets: name the processor (avx2, avx512_vnni, …)")
        return here

    def needs_reduced_range(self) -> bool:
        """Whether weights have to stay within 7 bits there."""
        return self.cpu != "native" and needs_reduced_range(self.cpu)

    def warn_if_elsewhere(self, progress: Progress) -> None:
        """Say that what is measured here is no measure of the target."""
        here = this_cpu()
        if here != self.cpu:
            progress.warn(
                f"the target is {self.cpu}, but this machine is {here or 'unknown'}: latencies measured here do not "
                "hold there, and answers may differ a little."
            )


def this_cpu() -> Cpu | None:
    """What this machine is."""
    from compress.benchmarking.machine import this_machine

    machine = this_machine()
    return cpu_of(machine.architecture, machine.instruction_sets)


def warn_if_saturating(progress: Progress) -> None:
    """Say, where no target is named, that this machine's int8 products overflow with weights of 8 bits."""
    here = this_cpu()
    if here is not None and needs_reduced_range(here):
        progress.warn(
            f"this machine ({here}) adds two int8 products in 16 bits, which overflows for weights beyond 7 bits, so "
            "answers here may be worse than on the target: name the target, such as `target: {cpu: native}`, or set "
            "`reduce_range`."
        )
