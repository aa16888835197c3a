from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm

from hwexplore.errors import InputError
from hwexplore.workloads.lengths import Lengths, fold

RANGES = st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 7)).map(
    lambda sizes: range(sizes[0], sizes[0] + sizes[1], sizes[2])
)


def test_one_length() -> None:
    assert Lengths.parse(" 512 ").shares == ((512, 1.0),)


def test_weights_become_shares() -> None:
    lengths = Lengths.parse("128:1 + 2048:3")
    assert lengths.shares == ((128, 0.25), (2048, 0.75))
    assert lengths.mean == 0.25 * 128 + 0.75 * 2048
    assert lengths.longest == 2048


@pytest.mark.parametrize(("mean", "sigma"), [(512, 0.3), (1000, 1.2), (20000, 2.0)])
def test_lognormal_is_cut_into_quarters(mean: float, sigma: float) -> None:
    """Each value is the mean of SciPy's distribution within one quarter."""
    lengths = Lengths.parse(f"lognormal({mean}, {sigma})")
    assert lengths.mean == pytest.approx(mean, abs=0.5)
    law = lognorm(s=sigma, scale=mean / np.exp(sigma**2 / 2))
    for quarter, (length, share) in enumerate(lengths.shares):
        assert share == 0.25
        lower, upper = law.ppf([quarter / 4, (quarter + 1) / 4])
        if np.isfinite(upper):
            assert length == pytest.approx(law.expect(lb=lower, ub=upper, conditional=True), abs=0.51)


def test_a_lognormal_without_spread_is_its_mean() -> None:
    assert Lengths.parse("lognormal(512, 0)").shares == ((512, 0.25),) * 4


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "1.5", "2147483648", "many", "8:", "8:0", "8:-1", "8:nan", "8:inf", "8+", "8:1:1"),
        *(
            "lognormal(8)",
            "lognormal(0, 1)",
            "lognormal(nan, 1)",
            "lognormal(8, -1)",
            "lognormal(8, 5)",
            "lognormal(8,1",
        ),
    ],
)
def test_bad_lengths(text: str) -> None:
    with pytest.raises(InputError, match="expected tokens below 2"):
        Lengths.parse(text)


@given(st.lists(st.tuples(RANGES, st.floats(0.01, 10)), max_size=4), st.sets(st.integers(-1, 400), max_size=3))
def test_folding_keeps_piecewise_affine_sums(ranges: list[tuple[range, float]], kinks: set[int]) -> None:
    folded = list(fold(ranges, kinks))
    assert len(folded) <= 2 * (len(kinks) + 1)
    for kink in (0, *kinks):
        exact = sum(weight * sum(max(context - kink, 0) + 1 for context in part) for part, weight in ranges)
        assert sum(weight * (max(context - kink, 0) + 1) for context, weight in folded) == pytest.approx(exact)


@given(RANGES)
def test_folded_contexts_stay_in_their_range(contexts: range) -> None:
    assert all(contexts[0] <= context <= contexts[-1] for context, _ in fold([(contexts, 1 / 3)], [100]))


def test_folding_needs_no_time_for_long_ranges() -> None:
    assert list(fold([(range(1, 2**31), 1.0)], [])) == [(2**30, 2**31 - 1)]
