"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from hwexplore.errors import InputError

__all__ = ["write_whole"]


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` all at once: a reader never sees half of it. InputError if it cannot be."""
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"output {path} cannot be written: {error.strerror}") from None
