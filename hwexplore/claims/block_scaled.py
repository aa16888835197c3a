"""MXFP8, MXINT8, NVFP4 and NVINT4 dot products against each other."""

from __future__ import annotations

from hwexplore.claims.claim import Claim
from hwexplore.claims.comparison import ratio
from hwexplore.claims.setting import Quantity, Setting

__all__ = ["claims"]

RELAXED = Setting("nangate45", 10000)
PAPER = "INT v.s. FP, arXiv 2510.25602, Table 5"
THEIRS: dict[Quantity, dict[str, float]] = {
    "area": {"mxint8": 0.79, "nvfp4": 0.54, "nvint4": 0.38},
    "energy": {"mxint8": 0.63, "nvfp4": 0.55, "nvint4": 0.34},
}
LABELS: dict[Quantity, str] = {"area": "area per (MAC/s)", "energy": "energy per MAC"}
WHY: dict[Quantity, str] = {
    "area": "Theirs counts combinational cells with the factors of an unnamed FinFET library, FP32 accumulation "
    "without registers; ours has registers and rounding, which weigh most on the smallest products.",
    "energy": "They let every gate toggle alike, so that energy follows area. Simulated operands make the 8 x 8 bit "
    "products of INT8 toggle and glitch far more than those of the 4 x 4 bit significands of E4M3.",
}
LANES = {"mx": 32, "nv": 16}


def claims() -> list[Claim]:
    """The claims, and what we find: with a block a cycle as in the paper, and with 8 lanes."""
    return [
        _claim(format, quantity, lanes)
        for lanes in (None, 8)
        for quantity, formats in THEIRS.items()
        for format in formats
    ]


def _claim(format: str, quantity: Quantity, lanes: int | None) -> Claim:
    theirs = THEIRS[quantity][format]
    unit, reference = (f"dot({f}, {f}, lanes={lanes or LANES[f[:2]]}, acc=fp32)" for f in (format, "mxfp8"))
    shared = "" if lanes is None else " With 8 lanes, the FP32 accumulator serves fewer products than in the paper."
    return Claim(
        name=f"block-scaled/{format}-{quantity}" + ("" if lanes is None else f"-{lanes}-lanes"),
        paper=PAPER,
        statement=f"{format.upper()} takes {theirs} of the {quantity} of MXFP8 at the same throughput",
        quantity=f"{LABELS[quantity]}, {format.upper()} / MXFP8",
        theirs=theirs,
        ours=ratio(unit, reference, quantity, RELAXED),
        why=WHY[quantity] + shared,
    )
