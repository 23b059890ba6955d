import pytest

from compress.chain.artifacts import Checkpoint
from compress.chain.measure import Measure
from compress.chain.step import Step
from compress.pipeline.graph import Broken, FigureCheck, Problem, check_stages, idle_stages, task_of
from compress.pipeline.spec import Pipeline, spec_of
from compress.task import Task
from tests.pipeline.fake_steps import Distill, FakeStep, LoadData, MakeBundle

NEWS = {"name": "news", "step": "load_data", "source": {"kind": "bbc_news"}}
MORE = {"name": "more", "step": "load_data", "source": {"kind": "bbc_news"}}
DELTA = {"name": "delta", "step": "finetune_lora", "data": "news", "base": "hub:bert"}
TEACHER = {"name": "teacher", "step": "merge_lora", "delta": "delta"}
STUDENT = {"name": "student", "step": "distill", "teacher": "teacher", "data": "news", "student": {"layers": 3}}
ONNX = {"name": "onnx", "step": "export_onnx", "model": "student"}


def pipeline(*stages: dict[str, object], **measure: object) -> Pipeline:
    return spec_of(FakeStep).model_validate({"name": "x", "stages": stages, "measure": measure})


def problems(whole: Pipeline, known_figure: FigureCheck | None = None) -> list[Problem]:
    return check_stages(whole.stages, whole.measure, known_figure=known_figure)


def messages(*stages: dict[str, object], **measure: object) -> list[str]:
    return [problem.message for problem in problems(pipeline(*stages, **measure))]


def accuracy_only(_task: Task, _kind: str, figure: str) -> str | None:
    return None if figure == "accuracy" else f"no {figure}"


CHAIN = (NEWS, MORE, DELTA, TEACHER, {**STUDENT, "unlabelled": ["more", "news"]}, ONNX)


def test_a_good_chain_has_no_problems() -> None:
    assert messages(*CHAIN) == []


def test_a_problem_carries_the_place_of_its_edge() -> None:
    (problem,) = problems(pipeline(NEWS, DELTA, TEACHER, {**STUDENT, "unlabelled": ["news", "teacher"]}))
    assert problem.loc == ("stages", 3, "unlabelled", 1)


def test_edges_in_nested_models_are_checked() -> None:
    (problem,) = problems(pipeline(NEWS, DELTA, TEACHER, {**STUDENT, "student": {"stage": "delta"}}))
    assert problem.loc == ("stages", 3, "student", "stage")
    assert problem.message == "student.stage needs a Checkpoint, but 'delta' makes a LoraDelta; 'teacher' would do"


def test_figures_are_asked_for_the_task_that_the_edges_lead_to() -> None:
    asked: list[tuple[Task, str, str]] = []

    def remember(task: Task, kind: str, figure: str) -> str | None:
        asked.append((task, kind, figure))
        return None

    regression = {**NEWS, "task": "text-regression"}
    problems(pipeline(regression, {**DELTA, "gates": {"max": {"rmse": 1}}}), known_figure=remember)
    assert asked == [("text-regression", "max", "rmse")]


def test_the_task_is_that_of_the_nearest_data() -> None:
    stages = pipeline({**NEWS, "task": "text-regression"}, MORE, {**DELTA, "data": "more"}).stages
    assert task_of(stages, "delta") == "text-classification"
    assert task_of(stages, "nobody") is None


def test_a_figure_that_the_task_does_not_have_is_a_problem_at_its_key() -> None:
    (problem,) = problems(pipeline(NEWS, {**DELTA, "gates": {"min": {"rmse": 1}}}), known_figure=accuracy_only)
    assert (problem.loc, problem.message) == (("stages", 1, "gates", "min", "rmse"), "no rmse")


@pytest.mark.parametrize(
    "gates", [{"max_drop": {"accuracy": 0.1}}, {"max_ratio": {"size_mb": 1}}, {"min": {"agreement": 1}}]
)
def test_a_gate_about_two_models_needs_the_other(gates: dict[str, object]) -> None:
    assert "add 'against'" in messages(NEWS, {**DELTA, "gates": gates})[0]
    assert messages(NEWS, DELTA, {**TEACHER, "gates": {"against": "delta", **gates}}) == []


def test_a_gate_cannot_be_against_the_stage_itself() -> None:
    (message,) = messages(NEWS, {**DELTA, "gates": {"against": "delta"}})
    assert message == "gates.against names 'delta', which is this stage itself: write an earlier one"


def test_a_latency_gate_needs_latency_to_be_measured() -> None:
    gated = {**DELTA, "gates": {"max": {"latency_ms": 9}}}
    assert messages(NEWS, gated) == []
    assert "latency is not measured" in messages(NEWS, gated, latency="none")[0]


def test_other_data_to_measure_on_must_be_a_data_set() -> None:
    assert messages(NEWS, MORE, {**DELTA, "measure": {"data": "more"}}) == []
    assert "needs a Dataset" in messages(NEWS, DELTA, {**TEACHER, "measure": {"data": "delta"}})[0]


def test_a_stage_without_a_model_is_not_measured() -> None:
    (message,) = messages({**NEWS, "measure": {"split": "train"}})
    assert message == "a Dataset has no measures: only models are measured"


def test_what_a_broken_stage_would_make_is_believed() -> None:
    broken = Broken("teacher", Checkpoint)
    good = pipeline(NEWS, DELTA, TEACHER, STUDENT).stages
    news, delta, _, student = good
    assert check_stages([news, delta, broken, student], Measure()) == []
    assert check_stages([news, delta, Broken("teacher", None), student], Measure()) == []


def test_a_data_set_that_nobody_reads_is_idle_and_a_model_is_not() -> None:
    assert [problem.loc for problem in idle_stages(pipeline(NEWS, MORE, DELTA))] == [("stages", 1, "name")]
    assert idle_stages(pipeline(NEWS, MORE, {**DELTA, "measure": {"data": "more"}})) == []


def test_fake_steps_say_what_they_make() -> None:
    assert [step.produces().__name__ for step in (LoadData, Distill, MakeBundle)] == ["Dataset", "Checkpoint", "Bundle"]
    assert issubclass(Distill, Step)
