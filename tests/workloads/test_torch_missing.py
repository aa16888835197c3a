"""Without PyTorch."""

from __future__ import annotations

import sys

import pytest

from hwexplore.errors import InputError
from hwexplore.workloads import from_torch


def test_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        InputError, match=r"net needs the package torch; install it with: pip install 'hwexplore\[torch\]'"
    ):
        from_torch(object(), (), name="net")
