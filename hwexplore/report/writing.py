"""Figures as pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwexplore.errors import InputError
from hwexplore.writing import write_whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["write_page"]


def write_page(figure: go.Figure, path: str | Path) -> None:
    """Write ``figure`` as an HTML page that needs nothing but a browser; InputError if it cannot be written."""
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"output {path} has suffix {path.suffix!r}; expected .html")
    config = {"displaylogo": False, "showSendToCloud": False}
    write_whole(path, figure.to_html(include_plotlyjs=True, default_height="90vh", config=config))
