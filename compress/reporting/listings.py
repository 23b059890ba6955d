"""Tables of the smaller commands (`bench`, `doctor`, `store list`, `adapters list`, `show`).

Takes text, knows not where from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

STATE_STYLES = {"ok": "green", "note": "yellow", "warning": "yellow", "wrong": "bold red", "error": "bold red"}


class Bench(Protocol):
    """Models side by side."""

    def header(self) -> tuple[str, ...]:
        """The columns."""

    def rows(self) -> list[tuple[str, ...]]:
        """One row a model."""


@dataclass(frozen=True)
class Origin:
    """Something that was made, and what it was made from."""

    name: str
    what: str
    parents: tuple["Origin", ...] = ()


def bench_table(measured: Bench) -> Table:
    """Latencies with their ratio to the first model."""
    first, *figures = measured.header()
    table = _table(first)
    for column in figures:
        table.add_column(column, justify="right")
    for row in measured.rows():
        table.add_row(*map(Text, row))
    return table


def doctor_table(rows: Sequence[tuple[str, str, str, str]]) -> Table:
    """What there is, whether it is right, and what to do."""
    table = _table("what", "is", "state", "advice")
    for name, value, state, advice in rows:
        table.add_row(Text(name), Text(value), Text(state, style=STATE_STYLES.get(state, "")), Text(advice))
    return table


def store_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Finished folders, newest first."""
    table = _table("key", "kind", "stage", "made")
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    for record in records:
        notes = record.get("notes", {})
        stage = f"{notes['pipeline']}.{notes['stage']}" if "stage" in notes else ""
        cells = [record["key"][:12], record["kind"], stage, record["started"][:16].replace("T", " ")]
        table.add_row(*map(Text, cells), f"{record['seconds']:.1f} s", f"{record['size_mb']:.1f}")
    return table


def adapters_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The adapters of a set."""
    table = _table("adapter", "latest", "versions", "task", "labels")
    table.add_column("MB", justify="right", no_wrap=True)
    for row in rows:
        labels = ", ".join(row["labels"] or ())
        cells = [row["name"], str(row["latest"] or "none"), ", ".join(map(str, row["versions"])), row["task"] or ""]
        what = Text(row["problem"], style="bold red") if row["problem"] else Text(labels)
        table.add_row(*map(Text, cells), what, f"{row['size_mb']:.1f}")
    return table


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """What one thing is: a name and a value a line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in facts:
        table.add_row(*map(Text, row))
    return table


def origin_tree(origin: Origin) -> Tree:
    """What it was made from, down to the data."""
    tree = Tree(Text(origin.name, style="bold").append(f"  {origin.what}", style="not bold"), guide_style="dim")
    for parent in origin.parents:
        tree.add(origin_tree(parent))
    return tree


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
