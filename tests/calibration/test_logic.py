from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from hwexplore.calibration.logic import function


@given(st.integers(0, 4).flatmap(lambda inputs: st.tuples(*[st.booleans()] * 2**inputs)))
def test_every_truth_table_is_computed_on_all_rows_at_once(truth: tuple[bool, ...]) -> None:
    inputs = len(truth).bit_length() - 1
    rows = list(product((0, 1), repeat=inputs))
    vectors = [sum(row[i] << bit for bit, row in enumerate(rows)) for i in range(inputs)]
    assert function(truth)((1 << len(rows)) - 1, *vectors) == sum(value << bit for bit, value in enumerate(truth))
