import json

import pytest

from compress.data.jsonl_file import jsonl_part
from compress.data.record import Columns
from compress.errors import DataError
from tests.data.reading import everything

COLUMNS = Columns(("text",), "label")


def test_objects_are_read_and_blank_lines_passed_over(tmp_path):
    rows = [{"text": "línea\n2", "label": 1, "more": None}, {"label": ["a", "b"], "text": "x"}]
    (tmp_path / "d.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    assert [(r.texts[0], r.label, r.place) for r in everything(jsonl_part(tmp_path / "d.jsonl", columns=COLUMNS))] == [
        ("línea\n2", 1, "line 1"),
        ("x", ["a", "b"], "line 3"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'text': 1}", "line 2 is not JSON"),
        ("[1, 2]", "line 2: found a list, needed an object"),
        ('{"texts": "x", "label": "a"}', "line 2 has no column 'text'; its columns are 'texts', 'label'. Did you mean"),
        ('{"text": 12, "label": "a"}', "line 2: column 'text' should hold a text, found 12"),
        ('{"text": "x", "label": {"a": 1}}', "line 2: column 'label' should hold a string, a number or a list"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    (tmp_path / "d.jsonl").write_text(f'{{"text": "x", "label": "a"}}\n{line}\n')
    with pytest.raises(DataError, match=message):
        everything(jsonl_part(tmp_path / "d.jsonl", columns=COLUMNS))
