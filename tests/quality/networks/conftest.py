"""Networks that come in packages of their own."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import Benchmark, load


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Benchmark]:
    """Loads a network, or skips the test where its package is missing; CI has to have it."""

    def loaded(name: str) -> Benchmark:
        try:
            return load(name)
        except InputError as error:
            if "is not installed" not in str(error) or "CI" in os.environ:
                raise
            pytest.skip(str(error))

    return loaded
