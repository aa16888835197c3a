"""Descriptions of systolic arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE


def described(**fields: Any) -> SystolicArray:
    pe = PE.parse("mac(int8, int8, acc=int32)")
    return SystolicArray(**{"pe": pe, "rows": 2, "cols": 3, "depth": 4, "bus_bits": 16, **fields})


def test_steps_cover_the_product_once() -> None:
    array = described(dataflow="ws")
    done = np.zeros((9, 7, 5), int)
    for step in array.steps(9, 7, 5):
        done[step.m.start : step.m.stop, step.n.start : step.n.stop, step.k.start : step.k.stop] += 1
        assert step.last == (step.k.stop == 5)
    assert (done == 1).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataflow": "is"}, "unknown dataflow of an array 'is'"),
        ({"rows": 0}, "rows = 0 must be a positive integer"),
        ({"cols": 2.0}, "cols = 2.0 must be a positive integer"),
        ({"depth": -1}, "depth = -1 must be a positive integer"),
        ({"bus_bits": 12}, "bus_bits = 12 must be whole bytes"),
        ({"output": Format.parse("e4m3")}, "output e4m3: sums in int32 are requantized"),
    ],
)
def test_arrays_that_there_are_not(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        described(**fields)


@pytest.mark.parametrize(("sizes", "message"), [((1, 65536, 4), "n = 65536 makes 65536"), ((0, 1, 1), "m = 0 makes 0")])
def test_products_that_there_are_not(sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=f"{message} tiles of mac.* an array takes 1 to 65535"):
        described().sizes(*sizes)
