"""``hwexplore sql``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore.cli.console import print_json
from hwexplore.cli.frames import print_frame, records
from hwexplore.search import Run, query

__all__ = ["sql"]


def sql(
    text: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT over designs, front or evaluated.")],
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of designs, from 'hwexplore explore --out FOLDER.parquet'.")
    ],
    rows: Annotated[int, typer.Option(min=1, help="Most rows that are printed.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print all rows as JSON.")] = False,
) -> None:
    """Ask evaluated designs anything, in SQL.

    Example: hwexplore sql "SELECT policy, min(energy_j) FROM designs GROUP BY policy" designs.parquet
    """
    answer = query(text, [Run.read(folder) for folder in folders], None if json else rows + 1)
    if json:
        print_json(records(answer))
        return
    more = len(answer) > rows
    print_frame(f"the first {rows} rows; --rows or --json for more" if more else f"{len(answer)} rows", answer[:rows])
