"""The report: one HTML page that needs nothing but a browser."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from hwexplore.report.payload import payload
from hwexplore.search import Front, LikelyFront
from hwexplore.writing import write_whole

__all__ = ["write_report"]


def write_report(front: Front, path: str | Path, likely: LikelyFront | None = None) -> None:
    """Write the page of ``front`` to ``path``, whole or not at all; InputError if it cannot be written.

    With what is ``likely`` besides, the page shows that too, and how probable each design is.

    Data, style, script and Plotly are in the page; it loads nothing from anywhere.
    """
    write_whole(path, _page(front, likely))


def _page(front: Front, likely: LikelyFront | None) -> str:
    parts = {
        "style": _resource("page.css"),
        "data": json.dumps(payload(front, likely), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "plotly": get_plotlyjs(),
        "script": _resource("page.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _resource(name: str) -> str:
    return (files("hwexplore.report") / name).read_text("utf-8")
