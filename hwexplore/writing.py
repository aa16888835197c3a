"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from hwexplore.errors import InputError

__all__ = ["write_whole"]


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
