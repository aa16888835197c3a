"""Networks and data that come in Python packages, found without importing these."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from hwexplore.errors import InputError

__all__ = ["packaged"]


def packaged(package: str, pattern: str) -> list[Path]:
    """The files of an installed ``package`` whose paths end in ``pattern``; raises InputError if there are none."""
    command = f"pip install --no-deps {package}"
    try:
        found = sorted(Path(str(file.locate())) for file in files(package) or () if file.match(pattern))
    except PackageNotFoundError:
        raise InputError(f"package {package} is not installed; {command} installs it") from None
    if not found:
        raise InputError(f"package {package} has no file {pattern}; {command} installs the one meant")
    return found
