"""``hwexplore claims``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore import claims as published
from hwexplore.claims import Claim
from hwexplore.claims.document import numbers
from hwexplore.cli.console import output, print_json, print_table
from hwexplore.writing import write_whole

__all__ = ["claims"]


def claims(
    name: Annotated[str | None, typer.Argument(help=f"A claim, or a group: {', '.join(published.GROUPS)}.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write a Markdown document to this file instead.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hold published claims against our models and measurements; with a name, also why they differ.

    Example: hwexplore claims fp8
    """
    found = published.claims(name)
    if write is not None:
        write_whole(write, published.to_markdown(found))
    elif json:
        print_json([claim.to_dict() for claim in found])
    else:
        columns = ["claim", "quantity", "theirs", "ours", "measured", "verdict"]
        rows = [[claim.name, claim.quantity, *numbers(claim), claim.verdict] for claim in found]
        print_table("published claims beside ours: model [5 % .. 95 %], and synthesis where it was done", columns, rows)
        if name is not None:
            _print_details(found)


def _print_details(found: list[Claim]) -> None:
    for claim in found:
        facts = claim.to_dict()
        output.print(f"\n{claim.name}", style="bold", markup=False, highlight=False)
        for key in ("statement", "paper", "setting", "why"):
            if facts[key]:
                output.print(f"  {key}: {facts[key]}", markup=False, highlight=False, soft_wrap=True)
