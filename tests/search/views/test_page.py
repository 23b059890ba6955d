import base64
import hashlib
import html
import json
import re

import pytest

from compress.search.views.page import decisive, render
from compress.search.views.pick_command import pick_command
from tests.reporting.test_page import Outline
from tests.search.views.sample import STUDIES, study, trial


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_well_formed_and_its_references_lead_somewhere(name):
    outline = Outline()
    outline.feed(render(STUDIES[name]()))
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.references) <= set(outline.ids)


@pytest.mark.parametrize("name", STUDIES)
def test_only_the_pages_own_script_may_run_and_nothing_is_asked_for(name):
    page = render(STUDIES[name]())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy.split("script-src")[1]
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    outline = Outline()
    outline.feed(page)
    assert not [said for _, said in outline.elements if any(key == "src" or key.startswith("on") for key in said)]
    assert all(said["href"].startswith(("#", "data:")) for _, said in outline.elements if "href" in said)


def test_markup_in_names_values_and_reasons_is_only_text():
    page = render(STUDIES["long"]())
    without = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "<script>alert" not in without
    assert "<b>long_value" not in page
    assert "&lt;script&gt;alert" in page


def test_what_a_trial_alone_was_warned_of_stands_with_it():
    shared, own = "49 texts appear with more than one label.", "Two rows were cut short."
    trials = [trial(0, warnings={"texts": [shared]}), trial(1, warnings={"texts": [shared], "student": [own]})]
    page = render(study(2, warnings=[shared]).model_copy(update={"trials": trials})).partition('id="raw"')[0]
    assert page.count(shared) == 1
    first, second = re.findall(r'<tr data-row="[01]".*?</tr>', page.partition('id="trials"')[2], flags=re.DOTALL)
    assert own not in first
    assert own in second


def test_the_script_reads_json_with_a_place_for_every_trial_that_was_measured():
    report = study(60, pick=True)
    (found,) = re.findall(r'<script type="application/json">(.*?)</script>', render(report), flags=re.DOTALL)
    data = json.loads(found)
    assert "<" not in found
    measured = [one for one in report.trials if one.figures]
    assert {len(figure["places"]) for figure in data["figures"].values()} == {len(measured)}
    assert {"accuracy", "size_mb", "f1_macro", "seconds", "trial"} <= set(data["figures"])


def test_a_study_read_back_from_json_gives_the_same_page():
    report = study(60, pick=True)
    assert render(type(report).model_validate_json(report.to_json())) == render(report)


def test_of_the_pick_the_figures_that_were_sought_stand_first_and_the_others_are_folded():
    report = study(60, pick=True, constraints=["f1_macro >= 0.5"])
    assert decisive(report) == ["accuracy", "size_mb", "f1_macro", "accuracy_drop"]
    assert decisive(study(60)) == []
    page = render(report)
    first, others = page[page.index('id="pick-table"') :].split("<details>", 1)
    assert first.count('<th scope="row">') == 4
    assert f"<summary>All {len(report.pick.figures)} figures</summary>" in others


def test_the_command_repeats_the_rule_of_the_pick_or_guesses_one():
    said = pick_command(study(60, pick=True), file="pipelines/search.yaml")
    assert said == (
        'compress search pipelines/search.yaml --pick "accuracy_drop <= 0.03, min size_mb" --write pipelines/best.yaml'
    )
    guessed = pick_command(study(60), file="my search.yaml")
    assert guessed.startswith("compress search 'my search.yaml' --pick \"accuracy >= 0.")
    assert guessed.endswith(', min size_mb" --write best.yaml')
    assert '--pick "max accuracy"' in pick_command(study(3, objectives=1), file="FILE")


def test_the_command_comes_back_to_the_same_study():
    report = study(
        3, objectives=1, study="second", storage="postgresql+psycopg://me:***@host/db",
        configuration="name: a\n# --set is an option\nseed: 1\n# --set seed=3\n# --set student.training.epochs=1\n",
    )  # fmt: skip
    assert pick_command(report, file="FILE") == (
        "compress search FILE --set seed=3 --set student.training.epochs=1 --study second "
        "--storage 'postgresql+psycopg://me:***@host/db' --pick \"max accuracy\" --write best.yaml"
    )


def test_the_command_runs_no_more_trials_and_finds_the_same_folders():
    options = (("--trials", "5"), ("--runs", "my runs"))
    said = pick_command(study(3, objectives=1), file="FILE", options=options)
    assert said.startswith("compress search FILE --trials 5 --runs 'my runs' --pick ")
    assert said in html.unescape(render(study(3, objectives=1), options=options))


def test_a_study_without_a_trial_says_so():
    page = render(study(0))
    assert "No trial has ended yet" in page
    assert '<svg class="chart"' not in page
