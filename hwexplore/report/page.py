"""The report: one HTML page that needs nothing but a browser."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from hwexplore.errors import InputError
from hwexplore.report.payload import payload
from hwexplore.search import Front

__all__ = ["write_report"]


def write_report(front: Front, path: str | Path) -> None:
    """Write the page of ``front`` to ``path``, all at once: a reader never sees half of it. InputError if it cannot be.

    Data, style, script and Plotly are in the page; it loads nothing from anywhere.
    """
    path = Path(path)
    page = _page(front)
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.write_text(page, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"report {path} cannot be written: {error.strerror}") from None


def _page(front: Front) -> str:
    parts = {
        "style": _resource("page.css"),
        "data": json.dumps(payload(front), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "plotly": get_plotlyjs(),
        "script": _resource("page.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _resource(name: str) -> str:
    return (files("hwexplore.report") / name).read_text("utf-8")
