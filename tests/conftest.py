"""What the tests of several packages share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from hwexplore import technology
from hwexplore.search import Space
from hwexplore.technology import Technology

settings.register_profile("hwexplore", deadline=None)
settings.load_profile("hwexplore")

ONE_DESIGN: dict[str, Any] = {
    "pe": "mac(int8, int8, acc=int32)",
    "rows": 16,
    "cols": 256,
    "dataflow": "os",
    "clock_mhz": 250,
    "vector_lanes": 64,
    "sram_kib": 512,
    "dram": "hbm2",
    "channels": 1,
    "policy": "int8_channel/int8/int8",
}
"""A value for each parameter; the design is feasible for every workload of up to 8 GB."""


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the tests' data."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def nangate45() -> Technology:
    return technology.load("nangate45")


@pytest.fixture(scope="session")
def space_of() -> Any:
    """Makes a space of one design, but for the parameters it is given."""
    return lambda **values: Space(**{**ONE_DESIGN, **values})
