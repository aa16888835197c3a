from __future__ import annotations

from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.pe import Accumulator


@pytest.mark.parametrize("text", ["int2", "int32", "int48", "int20 sat", "exact(1)", "exact(4096)"])
def test_text_round_trip(text: str) -> None:
    assert str(Accumulator.parse(text)) == text
    assert Accumulator.parse(f"  {text} ") == Accumulator.parse(text)


@settings(deadline=None)
@given(st.integers(1, 2**24), st.integers(1, 2**34))
@example(2**24, 2**30)
@example(2**20, 2**34)
@example(2**24 - 1, 2**34 - 1)
def test_exact_width_is_the_formula(terms: int, largest_product: int) -> None:
    """ceil(log2(n max|a| max|b| + 1)) + 1, with the ceiling of the logarithm in integers."""
    logarithm = next(power for power in count() if 2**power >= terms * largest_product + 1)
    assert Accumulator("exact", terms).bits(largest_product) == logarithm + 1


@settings(deadline=None)
@given(st.integers(1, 2**20), st.integers(1, 2**40))
def test_exact_is_just_wide_enough(terms: int, largest_product: int) -> None:
    bits = Accumulator("exact", terms).bits(largest_product)
    assert terms * largest_product <= 2 ** (bits - 1) - 1
    assert terms * largest_product > 2 ** (bits - 2) - 1
    assert Accumulator("exact", terms).holds(terms, largest_product)


@settings(deadline=None)
@given(st.sampled_from(["wrap", "saturate"]), st.integers(2, 63), st.integers(1, 2**20), st.integers(1, 2**40))
def test_holds_means_that_the_worst_sum_fits(kind: str, size: int, terms: int, largest_product: int) -> None:
    accumulator = Accumulator(kind, size)
    assert accumulator.bits(largest_product) == size
    assert accumulator.holds(terms, largest_product) == (terms * largest_product <= 2 ** (size - 1) - 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("int1", "accumulator 'int1' has 1 bits"),
        ("int0", "accumulator 'int0' has 0 bits"),
        ("int99999", "accumulator 'int99999' has 99999 bits"),
        ("exact(0)", r"accumulator 'exact\(0\)' sums"),
        ("exact", "unknown accumulator 'exact'; known: int32"),
        ("exact(-1)", "unknown accumulator"),
        ("int32 saturate", "unknown accumulator 'int32 saturate'"),
        ("uint32", "unknown accumulator 'uint32'"),
        ("", "unknown accumulator ''"),
    ],
)
def test_refusals(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Accumulator.parse(text)
