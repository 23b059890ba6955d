"""Terms that compare sentence vectors: the student's as it runs, a teacher's as it was kept.

The teacher need not run, and its tokens may be other ones. Knows no YAML and no data set.
"""

from torch import Tensor, nn

from compress.distillation.schedule import Scheduled
from compress.distillation.terms import Answers, Term
from compress.distillation.watch import Watch
from compress.objectives.masking import mean_of_tokens
from compress.objectives.sentence_vectors import sentence_vectors_loss
from compress.objectives.similarity import similarity_loss


def similarity_term(student: Watch, *, weight: Scheduled, teacher: int) -> Term:
    """Which sentences of a batch are alike; `teacher`: the number of the one whose vectors are read."""
    last = student.hidden(student.layers - 1)

    def loss(answers: Answers) -> Tensor:
        return similarity_loss(mean_of_tokens(last(), answers.mask), answers.teacher_vectors[teacher])

    return Term("similarity", weight, loss)


def sentence_vectors_term(student: Watch, *, weight: Scheduled, teacher: int, width: int) -> Term:
    """The vectors themselves; a learned linear projection to the teacher's `width` where the student's is another."""
    last = student.hidden(student.layers - 1)
    project = nn.Identity() if student.width == width else nn.Linear(student.width, width, bias=False)

    def loss(answers: Answers) -> Tensor:
        vectors = mean_of_tokens(last(), answers.mask)
        return sentence_vectors_loss(project(vectors), answers.teacher_vectors[teacher])

    return Term("sentence_vectors", weight, loss, projections=None if student.width == width else project)
