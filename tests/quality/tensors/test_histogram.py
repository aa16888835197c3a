from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality import Distribution, StudentT
from hwexplore.quality.tensors.histogram import BINS, EDGES, magnitudes, nearest


def test_bins_against_a_search_in_their_edges() -> None:
    x = (np.random.default_rng(0).standard_t(1.5, 5000) * 2.0 ** np.arange(-20, 30).repeat(100)).astype(np.float32)
    x = np.concatenate([x, [0, np.inf, -np.inf, EDGES[1], EDGES[-2]]]).astype(np.float32)
    expected = np.bincount(np.searchsorted(EDGES, np.abs(x).astype(float), side="right").clip(1, BINS) - 1)
    np.testing.assert_array_equal(magnitudes(x), expected)
    assert EDGES[-2] / EDGES[1] == 2.0**20
    np.testing.assert_allclose(EDGES[2:10] / EDGES[1], 1 + np.arange(1, 9) / 8)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "student_t(2.5)", "student_t(4)", "student_t(10)"])
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_distribution_that_was_drawn(name: str, scale: float) -> None:
    """Whatever the outliers that set the standard deviation."""
    drawn = Distribution.parse(name)
    found = nearest(magnitudes((scale * drawn.sample(np.random.default_rng(1), 200, 500)).astype(np.float32)))
    assert type(found) is type(drawn)
    if isinstance(drawn, StudentT) and isinstance(found, StudentT):
        assert found.nu == pytest.approx(drawn.nu, rel=0.1)
