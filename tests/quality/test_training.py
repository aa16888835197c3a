from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.quality import best_split, critical_tokens, training_loss
from hwexplore.quality.training import CHANNEL_WISE

FIGURE_5 = {
    3: (1, 1),
    4: (2, 1),
    5: (2, 2),
    6: (3, 2),
    7: (3, 3),
    8: (4, 3),
    9: (4, 4),
    10: (5, 4),
    11: (5, 5),
    12: (6, 5),
    13: (6, 6),
    14: (7, 6),
    15: (7, 7),
    16: (8, 7),
}


def test_best_splits_of_the_figure() -> None:
    """arXiv 2501.02423, Figure 5."""
    assert {bits: best_split(bits) for bits in range(3, 17)} == FIGURE_5


@pytest.mark.parametrize(
    ("split", "trillion_tokens"),
    [
        ((8, 7), pytest.approx(1730, rel=0.01)),
        ((4, 3), pytest.approx(27, abs=0.5)),
        ((2, 1), pytest.approx(0.4, abs=0.05)),
    ],
)
def test_critical_tokens_of_a_billion_parameters(split: tuple[int, int], trillion_tokens: object) -> None:
    """BF16, E4M3 and E2M1 in arXiv 2501.02423, at its block of 128."""
    assert float(critical_tokens(1e9, *split)) / 1e12 == trillion_tokens


def test_critical_tokens_are_where_the_loss_is_least() -> None:
    tokens = np.geomspace(1e10, 1e14, 4001)
    losses = training_loss(1e9, tokens, 2, 1)
    assert tokens[losses.argmin()] == pytest.approx(float(critical_tokens(1e9, 2, 1)), rel=0.003)


def test_coarser_scales_and_fewer_bits_cost() -> None:
    losses = [
        float(training_loss(1e9, 1e11, *split, block)) for split in ((4, 3), (2, 1)) for block in (32, CHANNEL_WISE)
    ]
    assert losses == sorted(losses)
    assert len(set(losses)) == 4


@pytest.mark.parametrize("bits", [2, 17])
def test_widths_outside_the_figure(bits: int) -> None:
    with pytest.raises(InputError, match=f"bits = {bits} must be 3 to 16"):
        best_split(bits)
