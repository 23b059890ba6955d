"""The weighted sum of a distillation's objectives for one batch, and their running means.

Knows the terms and where the teacher's answers come from; not how batches are made nor how a step is taken.
"""

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compress.distillation.teacher_outputs import RowsOf
from compress.distillation.terms import Answers, Term
from compress.errors import TrainingError
from compress.inference.torch_predictor import inputs_of
from compress.training.losses import inputs_of as inputs_in

WINDOW = 50
"""Training steps over which an objective's last mean is taken."""


class DistillationLoss:
    """Called with the student and a batch; answers the loss and the student's logits.

    Args:
        terms: at least one.
        teacher_logits: the teacher's kept answers, by the `row` of the batch; needed when a term asks for them.
        teacher: the live teacher, run without gradient in each training step; needed when a term watches it.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        *,
        teacher_logits: RowsOf | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        self._terms = tuple(terms)
        self._teacher_logits, self._teacher = teacher_logits, teacher
        self._takes = inputs_of(teacher) if teacher is not None else frozenset()
        self._names = unique_names([term.kind for term in terms])
        self._last: dict[str, deque[Tensor]] = {name: deque(maxlen=WINDOW) for name in self._names}

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and logits (batch, classes) of training rows; validation rows have no kept answer.

        Raises: TrainingError: when kept answers and rows do not belong together.
        """
        inputs = inputs_in(batch)
        logits: Tensor = model(**inputs).logits
        self._run_teacher(inputs)
        teacher_logits = self._kept(batch["row"], like=logits)
        answers = Answers(logits, teacher_logits, batch["labels"], batch["attention_mask"])
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
            total = total + term.weight * value
        return total

    def _run_teacher(self, inputs: dict[str, Tensor]) -> None:
        """Let the watched teacher see the same tokens."""
        if self._teacher is None:
            return
        self._teacher.to(inputs["input_ids"].device).eval()
        with torch.no_grad():
            self._teacher(**{name: tensor for name, tensor in inputs.items() if name in self._takes})

    def _kept(self, rows: Tensor, *, like: Tensor) -> Tensor | None:
        """The teacher's kept logits of these rows, beside the student's."""
        if self._teacher_logits is None or not any(term.needs_teacher_logits for term in self._terms):
            return None
        numbers = rows.cpu().numpy()
        if numbers.max() >= len(self._teacher_logits):
            raise TrainingError(
                f"row {numbers.max()} has no kept answer of the teacher, there are {len(self._teacher_logits)}: "
                "the rows were changed after the teacher answered them."
            )
        return torch.from_numpy(self._teacher_logits.take(numbers)).to(like.device)


def unique_names(kinds: Sequence[str]) -> list[str]:
    """The kinds, a repeated one numbered: logits, logits_2."""
    return [
        kind if kinds[:index].count(kind) == 0 else f"{kind}_{kinds[:index].count(kind) + 1}"
        for index, kind in enumerate(kinds)
    ]
