"""The ``hwexplore`` command."""

from hwexplore.cli.main import main

__all__ = ["main"]
