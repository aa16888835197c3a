"""Where the commands print, and how they print tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["errors", "output", "print_json", "print_line", "print_table", "progress_bar"]

output = Console()
errors = Console(stderr=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print ``rows``; a column of numbers is set flush right. A narrow terminal does not squeeze the table."""
    output.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = Table(header_style="bold", row_styles=["", "dim"] if len(rows) > 8 else None)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if all(_numeric(row[number]) for row in rows) else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    width = Measurement.get(output, output.options.update(width=1000), table).maximum
    Console(width=max(output.width, width)).print(table)


def print_line(text: str, console: Console = output) -> None:
    """Print one line as it is, however long."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_json(data: Any) -> None:
    """Print ``data`` as JSON."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def progress_bar() -> Progress:
    """A bar for what takes long; gone when it is done, and not there where nobody watches."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _numeric(text: str) -> bool:
    return text.removeprefix("-")[:1].isdigit() or not text
