from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.search import staircase
from hwexplore.search.staircase import Staircase


@settings(max_examples=50)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_finds_a_dominator_where_there_is_one(objectives: int, number: int, values: int, seed: int) -> None:
    """Against all pairs; few different values, so that many are equal."""
    random = np.random.default_rng(seed)
    points = random.integers(values, size=(number, objectives)).astype(float)
    points = points[moocore.is_nondominated(points)]
    own = random.permutation(2 * number)[: len(points)]
    bounds = random.integers(-1, values + 1, size=(60, objectives)).astype(float)
    ids = random.integers(2 * number, size=60)
    found = Staircase(points, own).dominators(bounds, ids)
    nowhere_above = (points <= bounds[:, None]).all(axis=2)
    excluded = nowhere_above & ((points < bounds[:, None]).any(axis=2) | (own < ids[:, None]))
    for each, by in zip(excluded, found, strict=True):
        assert by in own[each] if by >= 0 else not each.any()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_a_thinned_grid_is_never_wrong(seed: int) -> None:
    random = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staircase, "CELLS", 64)
        points, own = random.random((200, 3)), random.permutation(200)
        bounds = random.random((500, 3)) * 1.2
        table = Staircase(points, own)
    found = table.dominators(bounds, np.zeros(500, np.int64))
    by = points[np.argsort(own)[found]]
    assert (by <= bounds).all(axis=1)[found >= 0].all()
    dominated = (points <= bounds[:, None]).all(axis=2).any(axis=1)
    assert 0.5 < (found >= 0).sum() / dominated.sum() <= 1
