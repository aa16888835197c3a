"""Tables of pandas in the terminal and as JSON."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pandas as pd

from hwexplore.cli.console import print_table

__all__ = ["cell", "print_frame", "records"]


def print_frame(title: str, frame: pd.DataFrame) -> None:
    """Print ``frame`` without its index; what is missing stays empty."""
    columns = [[cell(value) for value in frame[name]] for name in frame]
    print_table(title, list(map(str, frame)), list(zip(*columns, strict=True)))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of ``frame`` as JSON has them; what is missing or infinite is None, what JSON does not know is text."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def cell(value: Any) -> str:
    """A value as text, numbers with four digits; nothing if it is missing."""
    plain = _plain(value)
    return "" if plain is None else f"{plain:.4g}" if isinstance(plain, float) else str(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, str, list, dict)):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if isfinite(value) else None
    return str(value)
