"""The most sensitive parts of each sensitivity stage, for the terminal."""

from rich.table import Table
from rich.text import Text

from compress.chain.sensitivity import SensitivityReport
from compress.reporting.numbers import number
from compress.reporting.schema import Report
from compress.reporting.sensitivity import sensitivity_of
from compress.reporting.terminal import plain_table

MOST_ROWS = 8


def sensitivity_tables(report: Report) -> list[Table]:
    """One a stage; fits 80 columns, long names wrap."""
    found = ((stage.name, sensitivity_of(stage)) for stage in report.stages)
    return [_table(name, measured) for name, measured in found if measured is not None]


def _table(name: str, measured: SensitivityReport) -> Table:
    table, shown = plain_table(), measured.parts[:MOST_ROWS]
    table.title = Text(f"\n{name}: the {len(shown)} most sensitive of {len(measured.parts)}", style="not italic bold")
    table.title_justify = "left"
    table.add_column("part", overflow="fold", min_width=12)
    table.add_column("precision", no_wrap=True)
    for column in ("loss", f"{measured.primary} drop", "saves MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in shown:
        figures = (number(one.loss), number(one.drop), number(one.bytes_saved / 1e6))
        table.add_row(Text(one.module), Text(one.precision), *figures)
    return table
