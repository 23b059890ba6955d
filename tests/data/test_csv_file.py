import csv

import pytest

from compress.data.csv_file import csv_part
from compress.data.record import Columns
from compress.errors import DataError
from tests.data.reading import everything

COLUMNS = Columns(("text",), "label")


def test_quotes_delimiters_and_line_breaks_inside_a_text_are_text(tmp_path):
    rows = [['He said "no", then\r\nleft', "a"], ["second\n\nparagraph", "b"], ["plain", "a"]]
    with (tmp_path / "d.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    found = everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))
    assert [[record.texts[0], record.label] for record in found] == rows
    assert [record.place for record in found] == ["line 2", "line 4", "line 7"]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    (tmp_path / "d.csv").write_bytes(b"\xef\xbb\xbftext,label\ncaf\xc3\xa9,a\n")
    assert everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))[0].texts == ("café",)


def test_latin_1_is_refused_with_the_place_of_the_byte_and_the_option(tmp_path):
    (tmp_path / "d.csv").write_bytes(b"text,label\nplain,a\ncaf\xe9 au lait,b\n")
    with pytest.raises(DataError) as caught:
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))
    assert str(caught.value) == (
        "d.csv: byte 22 (line 3) is 0xe9, which is not utf-8: if it is Latin-1 (Windows, Excel), write "
        "'encoding: latin-1' in the source; else save it as UTF-8."
    )
    assert everything(csv_part(tmp_path / "d.csv", columns=COLUMNS, encoding="latin-1"))[1].texts == ("café au lait",)


def test_a_bad_byte_is_found_beyond_the_first_chunk(tmp_path):
    good = "text,label\n" + "é row,a\n" * 200_000
    (tmp_path / "d.csv").write_bytes(good.encode() + b"\xff,b\n")
    with pytest.raises(DataError, match=rf"byte {len(good.encode()):,} \(line 200,002\) is 0xff"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


def test_utf_16_is_recognised(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\nx,a\n", encoding="utf-16")
    with pytest.raises(DataError, match="encoding: utf-16"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))
    assert len(everything(csv_part(tmp_path / "d.csv", columns=COLUMNS, encoding="utf-16"))) == 1


def test_a_missing_column_lists_those_found_and_the_nearest(tmp_path):
    (tmp_path / "d.csv").write_text("texts,labels\nx,a\n")
    with pytest.raises(
        DataError, match=r"d.csv has no column 'text'; its columns are 'texts', 'labels'. Did you mean 'texts'\?"
    ):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


def test_another_delimiter_is_guessed(tmp_path):
    (tmp_path / "d.csv").write_text("text;label\nx;a\n")
    with pytest.raises(DataError, match=r"Is the delimiter ';'\?"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


def test_a_column_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("text,label,text\nx,a,y\n")
    with pytest.raises(DataError, match="2 columns called 'text'"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


def test_a_row_with_too_many_fields_names_its_line(tmp_path):
    (tmp_path / "d.csv").write_text('text,label\n"two\nlines",a\nwell, yes,b\n')
    with pytest.raises(DataError, match="line 4: 3 fields where the header has 2"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


@pytest.mark.parametrize("row", ['"never closed,a', '"closed "twice"",a'])
def test_a_wrong_quote_names_the_line_where_its_row_starts(tmp_path, row):
    (tmp_path / "d.csv").write_text(f"text,label\nx,a\n{row}\ny,b\n")
    with pytest.raises(DataError, match=r"d.csv, the row that starts on line 3: .*quote: null"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))


def test_quotes_can_be_ordinary_characters(tmp_path):
    (tmp_path / "d.tsv").write_text('text\tlabel\n"never closed\ta\n')
    found = everything(csv_part(tmp_path / "d.tsv", columns=COLUMNS, delimiter="\t", quote=None))
    assert found[0].texts == ('"never closed',)


def test_blank_lines_are_passed_over_and_long_texts_are_read(tmp_path):
    limit = csv.field_size_limit()
    (tmp_path / "d.csv").write_text(f"text,label\n\n{'x' * 300_000},a\n\n")
    (only,) = everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))
    assert len(only.texts[0]) == 300_000
    assert csv.field_size_limit() == limit


def test_an_empty_file_and_no_file_are_said(tmp_path):
    (tmp_path / "d.csv").write_text("")
    with pytest.raises(DataError, match="its columns are none"):
        everything(csv_part(tmp_path / "d.csv", columns=COLUMNS))
    with pytest.raises(DataError, match="is not a file"):
        everything(csv_part(tmp_path / "e.csv", columns=COLUMNS))


def test_pairs_and_groups_are_read(tmp_path):
    (tmp_path / "d.csv").write_text("b,a,user,label\nhypothesis,premise,7,yes\n")
    (only,) = everything(csv_part(tmp_path / "d.csv", columns=Columns(("a", "b"), "label", "user")))
    assert only[:3] == (("premise", "hypothesis"), "yes", "7")


def test_progress_is_told_every_byte(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\n" + "some words,a\n" * 10_000)
    part, told = csv_part(tmp_path / "d.csv", columns=COLUMNS), []
    list(part.read(lambda done=1, note="": told.append(done)))
    assert sum(told) == part.size
