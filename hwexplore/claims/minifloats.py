"""Minifloats against integers of 3 to 8 bits in the LUTs of an FPGA."""

from __future__ import annotations

from hwexplore.claims.claim import Claim, Evidence
from hwexplore.claims.comparison import lut_price, lut_ratio
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.quality import noise_to_signal
from hwexplore.technology import Interval

__all__ = ["claims"]

DEVICE = "zcu104"
DAMSGAARD = "Damsgaard et al., TCAD 2025 (Versal), as quoted by a secondary source"
AGGARWAL = "Aggarwal et al., Shedding the Bits, FPL 2024, arXiv 2311.12359, as quoted by a secondary source"
MINIFLOATS = {
    3: ("e2m0", "e1m1"),
    4: ("e2m1", "e3m0"),
    5: ("e2m2", "e3m1"),
    6: ("e2m3", "e3m2"),
    7: ("e3m3", "e2m4"),
    8: ("e4m3", "e5m2", "e3m4"),
}
ACCUMULATOR_BITS = {"int4": 22, "int8": 30, "e2m1": 22, "e2m3": 26, "e3m2": 32, "e4m3": 50, "e5m2": 80}
"""Of their formula, for sums of 4608 products (ResNet-18)."""


def claims() -> list[Claim]:
    """The claims, and what we find."""
    by_width = [_luts(format, bits) for bits, formats in MINIFLOATS.items() for format in formats]
    return [*by_width, _pareto(), *(_accumulator(format, bits) for format, bits in ACCUMULATOR_BITS.items())]


def _luts(format: str, bits: int) -> Claim:
    return Claim(
        name=f"minifloats/{format}-luts",
        paper=DAMSGAARD,
        statement=f"A minifloat MAC takes 20 to 180 % more LUTs than the integer one of its width, here {bits} bits",
        quantity=f"LUTs per MAC a cycle, {format.upper()} / INT{bits}",
        theirs=(1.2, 2.8),
        ours=lut_ratio(_mac(format), _mac(f"int{bits}"), DEVICE),
        why="Sums of 4096 products are exact on both sides, so the range of the exponents decides: with few exponent "
        "bits the sum is hardly wider than that of integers, and the product is smaller. Which formats and sums are "
        "behind theirs is not known to us, and Versal has other LUTs and carries.",
    )


def _pareto() -> Claim:
    integers = [f"int{bits}" for bits in MINIFLOATS]
    noise = {f: noise_to_signal(Format.parse(f"{f}_channel")) for f in (*integers, *sum(MINIFLOATS.values(), ()))}
    luts = {format: lut_price(_mac(format), DEVICE).mid for format in noise}
    front = [f for f in noise if not any(luts[o] <= luts[f] and noise[o] < noise[f] for o in noise)]
    kept = sum(format in integers for format in front)
    return Claim(
        name="minifloats/pareto",
        paper=AGGARWAL,
        statement="Once LUTs are counted, integers often retain their Pareto optimality",
        quantity="integer formats of 3 to 8 bits on the front of noise and LUTs, of 6",
        theirs=(1, 6),
        ours=Evidence(
            setting=f"front: {', '.join(sorted(front, key=luts.__getitem__))}; mac(F, F, acc=exact(4096)), {DEVICE}, "
            "no DSP blocks, one MAC a cycle; quantization noise with a scale per channel at the crest factor of LLM "
            "tensors (arXiv 2510.25602, Table 2), not accuracy",
            model=Interval(kept, kept, kept),
        ),
        even=None,
        why="Where outliers set the scale, minifloats of few exponent bits lose less than their LUTs cost.",
    )


def _accumulator(format: str, bits: int) -> Claim:
    found = PE.parse(f"mac({format}, {format}, acc=exact(4608))").accumulator_bits
    return Claim(
        name=f"minifloats/{format}-accumulator",
        paper=f"{AGGARWAL}: its accumulator formula",
        statement=f"{bits} bits hold any sum of 4608 products of {format.upper()}",
        quantity=f"accumulator bits, {format.upper()}",
        theirs=(0, bits),
        ours=Evidence(
            setting=f"mac({format}, {format}, acc=exact(4608)), any node, period and throughput",
            model=Interval(found, found, found),
        ),
        even=None,
        why="Ours is the width that the largest product needs, so the formula leaves no room for it.",
    )


def _mac(format: str) -> str:
    return f"mac({format}, {format}, acc=exact(4096))"
