from __future__ import annotations

import pytest

from hwexplore.errors import InputError
from hwexplore.technology import PRIMITIVES, Bill, Item


def test_a_bill_iterates_over_its_items() -> None:
    items = tuple(Item("part", primitive, 2, 0.5, "two") for primitive in PRIMITIVES)
    assert tuple(Bill(items, ())) == items


def test_unknown_primitive() -> None:
    with pytest.raises(InputError, match="unknown hardware primitive 'full_ader'; did you mean full_adder"):
        Item("part", "full_ader", 1, 1, "typo")
