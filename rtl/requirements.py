"""The packages that RTL needs and the rest of the library does not."""

from __future__ import annotations

from importlib.util import find_spec

from hwexplore.errors import InputError

__all__ = ["require"]


def require(*packages: str) -> None:
    """InputError if one of ``packages`` is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise InputError(f'not installed: {", ".join(missing)}; RTL needs pip install "hwexplore[rtl]"')
