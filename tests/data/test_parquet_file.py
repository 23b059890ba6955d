import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compress.data.parquet_file import parquet_part
from compress.data.record import Columns
from compress.errors import DataError
from tests.data.reading import everything

COLUMNS = Columns(("text",), "label")


def test_rows_are_read_in_order_across_row_groups(tmp_path):
    table = pa.table({"more": [0.5] * 2500, "text": [f"t{n}" for n in range(2500)], "label": list(range(2500))})
    pq.write_table(table, tmp_path / "d.parquet", row_group_size=700)
    part = parquet_part(tmp_path / "d.parquet", columns=COLUMNS)
    found = everything(part)
    assert part.size == 2500
    assert [(record.texts[0], record.label) for record in found] == [(f"t{n}", n) for n in range(2500)]
    assert found[-1].place == "row 2500"


def test_a_missing_column_and_another_format_are_said(tmp_path):
    pq.write_table(pa.table({"txt": ["a"], "label": [1]}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"no column 'text'; its columns are 'txt', 'label'. Did you mean 'txt'\?"):
        everything(parquet_part(tmp_path / "d.parquet", columns=COLUMNS))
    (tmp_path / "e.parquet").write_text("text,label\n")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        parquet_part(tmp_path / "e.parquet", columns=COLUMNS)
