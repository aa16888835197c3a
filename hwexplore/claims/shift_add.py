"""W4A8 by shift and add against multipliers of 4 x 8 and 8 x 8 bits."""

from __future__ import annotations

from hwexplore.claims.claim import Claim
from hwexplore.claims.comparison import ratio
from hwexplore.claims.setting import Setting

__all__ = ["claims"]

AT = Setting("nangate45", 10000)
PAPER = "MixPE, arXiv 2411.16158"
ARRAYS = f"{PAPER}: arrays of its simulator, 64 x 64 PEs in W4A8 where INT8 has 32 x 32"
CORE = f"{PAPER}: core energy of Llama-2-13B in its simulator's results, .06 in W4A8 and .14 in INT8 of FP16's total"
MIXPE = "shift_add(int4, int8, group=128)"
GROUP_SUM = "mac(int4, int8, acc=exact(128))"
MULTIPLIER = "mac(int4, int8, acc=int32)"
INT8 = "mac(int8, int8, acc=int32)"
AREA, ENERGY = "area per (MAC/s)", "energy per MAC"


def claims() -> list[Claim]:
    """The claims, and what we find: a unit with its own dequantization, and the sum of a group alone."""
    return [
        Claim(
            name="shift-add/area-int8",
            paper=ARRAYS,
            statement="Four W4A8 PEs fit where one INT8 PE does",
            quantity=f"{AREA}, W4A8 with dequantization / INT8",
            theirs=0.25,
            ours=ratio(MIXPE, INT8, "area", AT),
            why="Dequantization once per group is rare, but a unit that has it carries an FP16 scale multiplier and an "
            "FP32 adder all the time, both larger than the multiplier that was saved. It has to be shared by many PEs.",
        ),
        Claim(
            name="shift-add/area-int8-group-sum",
            paper=ARRAYS,
            statement="Four W4A8 PEs fit where one INT8 PE does",
            quantity=f"{AREA}, W4A8 group sum alone / INT8",
            theirs=0.25,
            ours=ratio(GROUP_SUM, INT8, "area", AT),
            why="Half the rows of partial products are saved, but not the accumulator: 19 bits for 128 products, with "
            "their registers, enable and clear. The 4096 PEs are an assumption of the simulator; the area column of "
            "its PE table is a placeholder.",
        ),
        Claim(
            name="shift-add/area-multiplier",
            paper=f"{PAPER}, abstract",
            statement="Shift and add in place of the multiplier make the PE cheaper, here than a 4 x 8 bit multiplier",
            quantity=f"{AREA}, W4A8 with dequantization / W4A8 multiplier",
            theirs=(0.0, 1.0),
            ours=ratio(MIXPE, MULTIPLIER, "area", AT),
            why="A 4 x 8 bit array multiplier is shift and add: its rows are the shifted copies. Between the two there "
            "is nothing to save, and dequantization comes on top; the reference leaves it to others.",
        ),
        Claim(
            name="shift-add/energy-int8",
            paper=CORE,
            statement="W4A8 takes less than half of the core energy of INT8",
            quantity=f"{ENERGY}, W4A8 with dequantization / INT8",
            theirs=0.06 / 0.14,
            ours=ratio(MIXPE, INT8, "energy", AT),
            why="The simulator takes one energy per PE and cycle for W4A8 and INT8 alike, so its gain comes from "
            "elsewhere; ours is what toggles, the clock of the dequantization's registers included.",
        ),
        Claim(
            name="shift-add/energy-int8-group-sum",
            paper=CORE,
            statement="W4A8 takes less than half of the core energy of INT8",
            quantity=f"{ENERGY}, W4A8 group sum alone / INT8",
            theirs=0.06 / 0.14,
            ours=ratio(GROUP_SUM, INT8, "energy", AT),
            why="The simulator takes one energy per PE and cycle for W4A8 and INT8 alike, so its gain comes from "
            "elsewhere; ours is half the partial products and a sum of 19 instead of 32 bits.",
        ),
    ]
