"""The weighted sum of a distillation's objectives for one batch, and their running means.

Knows the terms and where the teachers' answers come from; not how batches are made nor how a step is taken.
"""

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compress.distillation.kept import Kept
from compress.distillation.schedule import at
from compress.distillation.terms import Answers, Term
from compress.inference.torch_predictor import inputs_of
from compress.models.quantized_layers import on_device
from compress.training.losses import inputs_of as inputs_in

WINDOW = 50
"""Training batches over which an objective's last mean is taken."""


class DistillationLoss:
    """Called with the student and a batch; answers the loss and the student's logits.

    Args:
        terms: at least one.
        kept: the teachers' kept answers, by the `row` of the batch.
        teachers: the live ones that a term watches, run without gradient in each training step.
        batches: that the training will have; schedules go from their first value to their last over them.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        *,
        kept: Kept | None = None,
        teachers: Sequence[nn.Module] = (),
        batches: int = 1,
    ) -> None:
        self._terms = tuple(terms)
        self._kept = kept or Kept()
        self._teachers = [(teacher, inputs_of(teacher)) for teacher in teachers]
        self._seen, self._batches = 0, batches
        self._names = unique_names([term.kind for term in terms])
        self._last: dict[str, deque[Tensor]] = {name: deque(maxlen=WINDOW) for name in self._names}

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and logits (batch, classes) of training rows; validation rows have no kept answer.

        Raises: TrainingError: when kept answers and rows do not belong together.
        """
        inputs, rows = inputs_in(batch), batch["row"]
        logits: Tensor = model(**inputs).logits
        self._run_teachers(inputs)
        asked = any(term.needs_teacher_logits for term in self._terms)
        answers = Answers(
            logits, self._kept.logits_of(rows) if asked else None, batch["labels"], batch["attention_mask"],
            teacher_vectors=self._kept.vectors_of(rows), share=min(self._seen / max(self._batches - 1, 1), 1.0),
        )  # fmt: skip
        self._seen += 1
        return self._sum(answers), logits

    def means(self) -> dict[str, float]:
        """Each objective's mean over the last training steps, unweighted, by name; none before the first step."""
        return {name: float(torch.stack(list(values)).mean()) for name, values in self._last.items() if values}

    def projections(self) -> nn.ModuleList | None:
        """What is trained along with the student; None when nothing is."""
        trained = [term.projections for term in self._terms if term.projections is not None]
        return nn.ModuleList(trained) if trained else None

    def _sum(self, answers: Answers) -> Tensor:
        total = answers.student_logits.new_zeros((), dtype=torch.float32)
        for name, term in zip(self._names, self._terms, strict=True):
            value = term.loss(answers)
            self._last[name].append(value.detach())
            total = total + at(term.weight, answers.share) * value
        return total

    def _run_teachers(self, inputs: dict[str, Tensor]) -> None:
        """Let the watched teachers see the same tokens."""
        for teacher, takes in self._teachers:
            on_device(teacher, inputs["input_ids"].device).eval()
            with torch.no_grad():
                teacher(**{name: tensor for name, tensor in inputs.items() if name in takes})


def unique_names(kinds: Sequence[str]) -> list[str]:
    """The kinds, a repeated one numbered: logits, logits_2."""
    return [
        kind if kinds[:index].count(kind) == 0 else f"{kind}_{kinds[:index].count(kind) + 1}"
        for index, kind in enumerate(kinds)
    ]
