from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality import CREST_FACTORS, crest_factor


@pytest.mark.parametrize(("block", "third_quartile"), [(None, 11.97), (4096, 11.97), (32, 2.96), (16, 2.39), (1, 1)])
def test_table_values(block: int | None, third_quartile: float) -> None:
    """Third quartiles of arXiv 2510.25602, Table 2."""
    assert crest_factor(block) == pytest.approx(third_quartile, rel=1e-12)


def test_power_law_between_the_table_values() -> None:
    assert crest_factor(362) == pytest.approx(np.sqrt(2.96 * 11.97), rel=1e-3)  # 362^2 = 32 * 4096
    blocks = [1, 2, 8, 16, 24, 32, 64, 128, 1024, 4096]
    crests = [crest_factor(block) for block in blocks]
    assert crests == sorted(crests)
    assert len(set(crests)) == len(crests)


def test_no_crest_factor_is_above_that_of_a_single_spike() -> None:
    assert all(crest_factor(block) <= np.sqrt(block) for block in range(1, 5000))


def test_larger_blocks_are_channels() -> None:
    assert crest_factor(11008) == crest_factor(None) == pytest.approx(CREST_FACTORS["channel"][1])
