from pathlib import Path

from compress.pipeline.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "steps.md"


def test_the_page_of_steps_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m compress.pipeline.reference > docs/steps.md brings it up to date"
    )
