"""The simulator of the tests."""

from __future__ import annotations

import os

import pytest

from hwexplore.errors import InputError
from hwexplore.rtl.simulator import Simulator, find


@pytest.fixture(scope="session")
def verilator() -> Simulator:
    try:
        return find("verilator")
    except InputError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
