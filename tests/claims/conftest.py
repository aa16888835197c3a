from __future__ import annotations

import pytest

from hwexplore.claims import Claim, claims


@pytest.fixture(scope="session")
def found() -> list[Claim]:
    """All claims, worked out once."""
    return claims()
