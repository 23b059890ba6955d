from compress.chain.manifest import DatasetManifest, ModelManifest, SplitFacts
from compress.reporting.model_card import model_card, plain
from tests.reporting import sample


def report_with_folders(folder):
    """The sample, whose data and bundle lie in `folder` with their manifests."""
    report = sample.full_report()
    stages = []
    for stage in report.stages:
        place = folder / stage.name
        place.mkdir()
        stages.append(stage.model_copy(update={"artifact": stage.artifact.model_copy(update={"path": str(place)})}))
    splits = {"train": SplitFacts(rows=1486), "test": SplitFacts(rows=425)}
    DatasetManifest(
        task="text-classification",
        labels=tuple(sample.LABELS),
        labelled=True,
        splits=splits,
        source="BBC News",
        licence="MIT",
    ).write(folder / "news")
    ModelManifest(
        kind="Bundle", task="text-classification", labels=tuple(sample.LABELS), max_length=128, dataset="2e" * 32,
        base="hub:sentence-transformers/all-MiniLM-L6-v2@main", base_digest="5a" * 32, licence="Apache-2.0",
        parameters=22_715_141, batch_invariant=False,
    ).write(folder / "edge")  # fmt: skip
    return report.model_copy(update={"stages": stages})


def test_the_card_says_what_it_is_how_good_and_how_to_use_it(tmp_path):
    report = report_with_folders(tmp_path)
    card = model_card(report, report.stages[-1])
    assert card.startswith("---\nlicense: 'apache-2.0'\nbase_model: 'sentence-transformers/all-MiniLM-L6-v2'\n")
    assert "| accuracy | 0.9671 | 0.9465 to 0.9790 | 0.9719 | 0.0048 | −0.0049 to 0.0142 |" in card
    assert "| 1 | 128 | 2 | 4.509 | 5.127 | 4.80× |" in card
    assert "| int8 | max_ratio.latency_ms | teacher | 0.2086 | 0.2011 to 0.2153 | 0.22 | pass |" in card
    assert "load_bundle(" in card
    assert "compress predict" in card
    assert "- In a batch an answer depends a little on the texts beside it" in card
    assert "one scale" not in card, "that is one of several reasons"
    assert "BBC News (licence: MIT): 1\u202f486 rows train, 425 rows test." in card
    assert "7. `edge`: bundle from int8" in card


def test_a_card_can_be_written_when_the_store_is_gone():
    report = sample.full_report()
    card = model_card(report, report.stages[-1])
    assert "not known: see the base model's" in card
    assert "BBC News." in card


def test_the_path_of_this_machine_is_not_in_the_card(tmp_path):
    report = report_with_folders(tmp_path)
    assert str(tmp_path) not in model_card(report, report.stages[-1])


def test_labels_cannot_break_the_tables():
    assert plain("a|b\n<script>*x*_y_") == r"a\|b \<script\>\*x\*\_y\_"
    assert plain("f1_macro") == "f1_macro"
