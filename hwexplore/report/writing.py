"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hwexplore.errors import InputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["write_page", "write_whole"]


def write_page(figure: go.Figure, path: str | Path) -> None:
    """Write ``figure`` as an HTML page that needs nothing but a browser; InputError if it cannot be written."""
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"output {path} has suffix {path.suffix!r}; expected .html")
    config = {"displaylogo": False, "showSendToCloud": False}
    write_whole(path, figure.to_html(include_plotlyjs=True, default_height="90vh", config=config))


def write_whole(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` all at once: a reader never sees half of it. InputError if it cannot be."""
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"output {path} cannot be written: {error.strerror}") from None
