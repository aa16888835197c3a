"""The price of the stream around a core."""

from __future__ import annotations

import pytest

from hwexplore import technology as technologies
from hwexplore.pe import PE
from hwexplore.pe.wrapper import wrapper_bill

# Yosys 0.70 + ABC on Nangate45 (-booth -noalumacc): wrapper with its core, less the core alone.
SYNTHESISED_UM2 = {"mac(int8, int8, acc=int32)": 255, "mac(int4, int4, acc=int16, stages=3)": 160}


@pytest.mark.parametrize("text", SYNTHESISED_UM2)
def test_area_follows_synthesis(text: str) -> None:
    price = technologies.load("nangate45").price(wrapper_bill(PE.parse(text)))
    assert price.area_um2 == pytest.approx(SYNTHESISED_UM2[text], rel=0.1)


def test_it_holds_the_sums_and_follows_the_pipeline() -> None:
    flip_flops = [
        sum(
            item.count
            for item in wrapper_bill(PE.parse(f"mac(int8, int8, acc=int{bits}, stages={stages})"))
            if item.primitive == "flip_flop"
        )
        for bits, stages in ((32, 1), (32, 4), (48, 1))
    ]
    assert flip_flops == [36, 39, 52]
