from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.accelerator import PARAMETERS
from hwexplore.search import Space
from hwexplore.search.neighbours import neighbours


@given(st.sets(st.integers(0, 1151), max_size=3))
@settings(max_examples=20, deadline=None)
def test_those_that_differ_in_one_parameter(small_space: Space, ids: set[int]) -> None:
    index = small_space.indices(np.arange(small_space.size))
    table = np.stack([index[name] for name in PARAMETERS], axis=1)
    expected = [d for d in range(len(table)) if any((table[d] != table[i]).sum() <= 1 for i in ids)]
    assert neighbours(small_space, np.array(sorted(ids), np.int64)).tolist() == expected


def test_linked_parameters_follow(small_space: Space) -> None:
    linked = small_space.with_values(cols={"equals": "16 * rows"})
    found = neighbours(linked, np.array([0]))
    index = linked.indices(found)
    rows, cols = (linked.choices.numbers(name)[index[name]] for name in ("rows", "cols"))
    np.testing.assert_array_equal(cols, 16 * rows)
    assert set(rows) == {1, 16}
    assert found.size == 1 + sum(size - 1 for size in linked.shape)
