"""What is wrong with the gates of a stage whose parts are measured one by one, before any work.

A limit on what is read from rows holds for every part (an adapter of a set) that has the figure, each against the
stage that it was made of; a limit on size, parameters or latency holds for the whole.
"""

from collections.abc import Callable, Iterator, Mapping

from compress.chain.gates import Gates
from compress.chain.step import Loc
from compress.evaluation.tasks import MODEL_FIGURES, needs_another_model
from compress.task import Task

FigureCheck = Callable[[Task, str, str], str | None]
"""(task, kind of gate, figure) to what is wrong with it, or None: `compress.evaluation.tasks.known_figure`."""


def about_part_gates(
    gates: Gates, tasks: Mapping[str, Task | None], known_figure: FigureCheck | None
) -> Iterator[tuple[Loc, str]]:
    """One sentence for each mistake, with its place below `gates`.

    Args:
        gates: of the stage.
        tasks: of each part; None where it is not known.
        known_figure: what is wrong with a figure for a task; None: any is believed.
    """
    if gates.against is not None:
        yield (
            ("against",),
            "each adapter is held against the delta that it was made of, never against one stage: leave 'against' out",
        )
    for kind, figure, _ in gates.limits():
        message = _about(kind, figure, tasks, known_figure)
        if message is not None:
            yield (kind, figure), message


def _about(kind: str, figure: str, tasks: Mapping[str, Task | None], known_figure: FigureCheck | None) -> str | None:
    if figure in MODEL_FIGURES and needs_another_model(kind, figure):
        return f"'{figure}' belongs to the set as a whole, which is compared with no other stage: use max"
    if known_figure is None or None in tasks.values():
        return None
    problems = {part: known_figure(task, kind, figure) for part, task in tasks.items() if task is not None}
    if not problems or None in problems.values():
        return None
    different = dict.fromkeys(str(problem).rstrip(".") for problem in problems.values())
    return "; ".join(different)
