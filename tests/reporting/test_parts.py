"""How the adapters of a set are shown: in the table, on the page, in a sentence."""

from compress.reporting.page import render
from compress.reporting.parts import part_rows, set_in_words
from compress.reporting.schema import ComparisonEntry, FigureEntry, MeasuresEntry, Report, StageEntry, VerdictEntry
from compress.reporting.set_card import set_card
from compress.reporting.summary import headline, primary_of
from compress.reporting.terminal import result_table
from tests.reporting.sample import SCRIPT, full_report
from tests.reporting.test_terminal import drawn


def part(accuracy: float) -> MeasuresEntry:
    figures = {"accuracy": FigureEntry(value=accuracy, interval=(accuracy - 0.02, accuracy + 0.02))}
    return MeasuresEntry(primary="accuracy", metrics=figures, parameters=9, size_mb=0.6, rows=425, labels=["a", SCRIPT])


def verdict(name: str, drop: float, said: str) -> VerdictEntry:
    return VerdictEntry(
        gate="max_drop.accuracy", against=f"{name}_delta", measured=drop, limit=0.01, interval=None, verdict=said,
        part=name,
    )  # fmt: skip


def set_report(drop: float = 0.0048, said: str = "pass", **changes: object) -> Report:
    """Two adapters; the second loses `drop`."""
    drops = {"news": -0.001, "sentiment": drop}
    stage = StageEntry(
        name="set", step="adapter_set", status="ran", seconds=1, key="ab" * 32, inputs=["delta"],
        measures=MeasuresEntry(
            primary="accuracy", metrics={}, parameters=23_000_000, size_mb=38.4,
            parts={"news": part(0.97), "sentiment": part(0.81)},
        ),
        comparisons=[
            ComparisonEntry(against=f"{name}_delta", part=name, drops={"accuracy": FigureEntry(value=value)})
            for name, value in drops.items()
        ],
        verdicts=[verdict("news", -0.001, "pass"), verdict("sentiment", drop, said)],
    )  # fmt: skip
    return full_report(stages=[*full_report().stages[:2], stage], reference=None, **changes)


def test_each_adapter_has_a_row_with_its_own_verdict():
    rows = part_rows(set_report(0.02, "fail", passed=False, published=None).stages[-1])
    assert [(row.name, row.figure.value, row.drop.value, row.outcome) for row in rows] == [
        ("news", 0.97, -0.001, "pass"), ("sentiment", 0.81, 0.02, "fail"),
    ]  # fmt: skip


def test_the_table_shows_them_below_their_set():
    lines = drawn(result_table(set_report())).splitlines()
    assert max(map(len, lines)) <= 80
    after = lines[next(index for index, line in enumerate(lines) if line.startswith("set ")) :]
    assert after[1].split() == ["·", "news", "0.9700", "±0.020", "−0.0010", "0.6000", "–", "–", "✓", "pass"]
    assert after[2].split()[:2] == ["·", "sentiment"]


def test_the_headline_says_who_lost_most():
    assert headline(set_report()) == (
        "'set' answers with 2 adapters in 38.40 MB; the most that one loses is 0.0048 accuracy "
        "('sentiment' against 'sentiment_delta')."
    )
    assert set_in_words(set_report(0.0).stages[-1]).endswith("; none is worse than its own delta.")


def test_a_failed_gate_is_said_of_its_adapter():
    said = headline(set_report(0.02, "fail", passed=False, published=None))
    assert said.startswith(
        "max_drop.accuracy of 'sentiment' in 'set' against 'sentiment_delta' is 0.0200; it may be at"
    )


def test_metrics_of_several_tasks_are_called_score():
    report = set_report()
    regression = report.stages[-1].measures.parts["news"].model_copy(update={"primary": "rmse"})
    measures = report.stages[-1].measures.model_copy(update={"parts": {"news": regression, "sentiment": part(0.8)}})
    stages = [report.stages[-1].model_copy(update={"measures": measures})]
    assert primary_of(report.model_copy(update={"stages": stages})) == "score"


def test_the_page_shows_them_and_escapes_their_labels():
    page = render(set_report())
    assert page.count('<tr class="part">') == 2
    assert "news against news_delta" in page
    assert "Part: set, sentiment" in page
    assert SCRIPT not in page


def test_the_card_says_how_good_each_is_and_how_to_serve_them():
    report = set_report()
    card = set_card(report, report.stages[-1])
    line = next(line for line in card.splitlines() if line.startswith("| sentiment |"))
    assert [cell.strip() for cell in line.split("|")][6:] == [
        "0.8100", "0.7900 to 0.8300", "sentiment_delta", "0.0048", "–", "",
    ]  # fmt: skip
    assert "compress serve PATH/TO/THIS/FOLDER" in card
    assert "<script>" not in card
