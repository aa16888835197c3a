"""LUT tensor cores against multipliers and bit-serial adders: where tables win, and the best group and tile."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwexplore.claims.claim import Claim, Evidence
from hwexplore.claims.comparison import absolute, draws, interval, ratio
from hwexplore.claims.setting import Quantity, Setting

__all__ = ["claims"]

PAPER = "LUT Tensor Core, ISCA 2025, arXiv 2408.06003"
AT = Setting("nangate45", 5000)
THEIR_NODE = Setting("28nm", 1000)
ACCUMULATORS = {"fp16": "fp16", "e4m3": "fp16", "int16": "int40", "int8": "int32"}
"""Of all units, by activation; 16 bits as in the RTL of the paper's authors."""
WIDTHS = (1, 2, 4)
WIDEST = 6
GROUPS = (2, 3, 4, 5)
COLUMNS = (4, 8, 16, 32, 64, 128)
PRODUCTS = 512


def claims() -> list[Claim]:
    """The claims, and what we find."""
    return [_density(), *_one_bit(), *_widest(), _wins(), *_groups(), _columns(), *_tile()]


def _lut(weight: int, activation: str, k: int = 4, m: int = 2, n: int = 64) -> str:
    """Tables of sums of k activations, a bit plane of the weights a cycle."""
    return f"lut(int{weight}, {activation}, m={m}, n={n}, k={k}, {_options(activation)})"


def _mac(activation: str, weight: str | None = None) -> str:
    """A dot product of four lanes, by default with weights in the format of the activations, as in a tensor core.

    FP16 products are aligned in 24 bits, the partial sums of tensor cores in INT v.s. FP (arXiv 2510.25602).
    """
    window = ", window=24" if activation == "fp16" else ""
    return f"dot({weight or activation}, {activation}, lanes=4, {_options(activation)}{window})"


def _add(weight: int, activation: str, quantity: Quantity) -> NDArray[np.float64]:
    """Four activations with signs added up, a bit plane of the weights a cycle: draws per MAC, without its shifter."""
    return weight * draws(_mac(activation, "bipolar1"), quantity, AT)


def _options(activation: str) -> str:
    stages = "" if activation.startswith("int") else ", stages=4"
    return f"acc={ACCUMULATORS[activation]}{stages}"


def _density() -> Claim:
    return Claim(
        name="lut/density-w1a16",
        paper=f"{PAPER}, Fig. 12: 61.55 and 3.39 TFLOPs/mm2",
        statement="W1A16 by tables has 18.2 times the density of a W16A16 multiplier unit",
        quantity="area per (MAC/s), MAC W16A16 / LUT W1A16",
        theirs=61.55 / 3.39,
        ours=ratio(_mac("fp16"), _lut(1, "fp16"), "area", AT),
        why="A table leaves an FP16 addition per sum and cycle, with its rounding and its register, and ours counts "
        "it. What their DP4 units hold beside the lookup is not known to us; whole tensor cores of theirs gain 4 to 6 "
        "times (Fig. 14).",
    )


def _one_bit() -> list[Claim]:
    """Also for the tile of one row and four columns, which is small enough to synthesise."""
    cases = [("fp16", 2, 64), ("int8", 2, 64), ("int8", 1, 4)]
    quantities: list[tuple[Quantity, str]] = [("area", "area per (MAC/s)"), ("energy", "energy per MAC")]
    return [
        Claim(
            name=f"lut/w1-{activation}-{quantity}-m{m}n{n}",
            paper=f"{PAPER}, Fig. 14",
            statement="With 1-bit weights, LUT tensor cores take 4 to 6 times less power and area than multiplier ones",
            quantity=f"{label}, MAC {activation} x {activation} / LUT int1 x {activation}",
            theirs=(4.0, 6.0),
            ours=ratio(_mac(activation), _lut(1, activation, m=m, n=n), quantity, AT),
            why="Every sum of ours has an accumulator with enable and clear, and every table entry a register; they "
            "remain when multipliers go. A tile of few columns shares each table among few sums.",
        )
        for activation, m, n in cases
        for quantity, label in quantities
    ]


def _widest() -> list[Claim]:
    """Up to which weights tables and adders take less area than multipliers, with FP16 activations."""
    unit = f"4 products at a time, acc=fp16, {AT}, equal throughput"
    lut = {weight: draws(_lut(weight, "fp16"), "area", AT) for weight in range(1, WIDEST + 1)}
    add = {weight: _add(weight, "fp16", "area") for weight in lut}
    uniform = dict.fromkeys(lut, draws(_mac("fp16"), "area", AT))
    narrow = {weight: draws(_mac("fp16", f"int{max(weight, 2)}"), "area", AT) for weight in lut}
    return [
        Claim(
            name="lut/widest-weight",
            paper=f"{PAPER}, Fig. 13",
            statement="With FP16 activations, tables beat multipliers and adders up to 6-bit weights",
            quantity="widest weight with which LUT is smaller than MAC FP16 x FP16 and ADD, bits",
            theirs=6,
            ours=Evidence(
                setting=f"lut(intW, fp16, m=2, n=64, k=4) against dot(fp16, fp16) and W x dot(bipolar1, fp16), {unit}",
                model=interval(_last_win(lut, {w: np.minimum(uniform[w], add[w]) for w in lut})),
            ),
            even=1,
            why="A bit plane of ours costs an FP16 lookup and addition for each sum, of which a 4-lane dot product "
            "makes one per four products.",
        ),
        Claim(
            name="lut/widest-weight-narrow-multiplier",
            paper=f"{PAPER}, Fig. 13",
            statement="With FP16 activations, tables beat multipliers up to 6-bit weights, here those of intW x FP16",
            quantity="widest weight with which LUT is smaller than MAC intW x FP16, bits",
            theirs=6,
            ours=Evidence(
                setting=f"lut(intW, fp16, m=2, n=64, k=4) against dot(intW, fp16), W at least 2, {unit}",
                model=interval(_last_win(lut, narrow)),
            ),
            even=1,
            why="Theirs multiplies FP16 by FP16 whatever the weight. Against a multiplier as narrow as the weight, "
            "which takes every weight bit in one cycle, a table that takes a cycle per bit wins only at few bits.",
        ),
        Claim(
            name="lut/widest-weight-add",
            paper=f"{PAPER}, Fig. 13",
            statement="With FP16 activations, bit-serial adders beat multipliers at 1 and 2 bits only",
            quantity="widest weight with which ADD is smaller than MAC FP16 x FP16, bits",
            theirs=2,
            ours=Evidence(
                setting=f"W x dot(bipolar1, fp16) against dot(fp16, fp16), {unit}",
                model=interval(_last_win(add, uniform)),
            ),
            even=None,
            why="Alignment and accumulation are most of a dot product of FP16, adders have them as well, and need them "
            "in each of W cycles.",
        ),
    ]


def _wins() -> Claim:
    def is_smallest(activation: str, weight: int) -> NDArray[np.float64]:
        others = np.minimum(draws(_mac(activation), "area", AT), _add(weight, activation, "area"))
        return (draws(_lut(weight, activation), "area", AT) < others).astype(float)

    cases = [(activation, weight) for activation in ACCUMULATORS for weight in WIDTHS]
    wins = {f"W{w} {a}": is_smallest(a, w) for a, w in cases}
    lost = [name for name, won in wins.items() if not won[0]]
    return Claim(
        name="lut/wins",
        paper=f"{PAPER}, Fig. 14",
        statement="Of 12 pairs of W1, W2, W4 with FP16, FP8, INT16, INT8 activations, tables are smallest in all but 1",
        quantity="pairs in which LUT is smaller than MAC (activation x activation) and ADD, of 12",
        theirs=11,
        ours=Evidence(
            setting=f"tables lose in {', '.join(lost) or 'none'}; lut(intW, A, m=2, n=64, k=4) against "
            "dot(A, A, lanes=4) and W x dot(bipolar1, A, lanes=4); sums in fp16 (FP16, FP8), int40 (INT16), "
            f"int32 (INT8); {AT}, equal throughput",
            model=interval(np.sum(list(wins.values()), axis=0)),
        ),
        even=6,
        why="At four bits a table adds four times to an accumulator of its own, where a dot product adds once for four "
        "products; with INT8 and FP8 that outweighs the multipliers.",
    )


def _groups() -> list[Claim]:
    return [
        Claim(
            name=f"lut/best-k-{activation}",
            paper=f"{PAPER}",
            statement=statement,
            quantity="K with the least area per (MAC/s)",
            theirs=theirs,
            ours=Evidence(
                setting=f"lut(int{weight}, {activation}, m=2, n=64, k=K, {_options(activation)}), K from 2 to 5; {AT}, "
                "equal throughput",
                model=interval(
                    _smallest({k: draws(_lut(weight, activation, k), "area", AT) for k in GROUPS}),
                ),
            ),
            even=None,
            why="The table doubles with K, its share of a sum falls with N, and the accumulator's share with K; where "
            "accumulators are dear, larger groups win.",
        )
        for weight, activation, theirs, statement in (
            (2, "int8", 4.0, "For integer activations the density peaks at K = 4"),
            (1, "fp16", (4.0, 5.0), "For FP16 activations the density peaks at K = 5, with K = 4 close"),
        )
    ]


def _columns() -> Claim:
    tiles = {n: _lut(2, "int8", m=PRODUCTS // (4 * n), n=n) for n in COLUMNS}
    return Claim(
        name="lut/best-tile",
        paper=f"{PAPER}",
        statement="Of tiles with M x N x K = 512, M2N64K4 is the best; N of 64 to 128",
        quantity="N of the tile with the least area per (MAC/s)",
        theirs=(64.0, 128.0),
        ours=Evidence(
            setting=f"lut(int2, int8, m=128/N, n=N, k=4, acc=int32), N from 4 to 128; {AT}, equal throughput",
            model=interval(_smallest({n: draws(pe, "area", AT) for n, pe in tiles.items()})),
        ),
        even=None,
        why="Fewer rows need fewer tables, and our area has no cost for the ports of many columns.",
    )


def _tile() -> list[Claim]:
    """In three stages: two do not reach 1 GHz."""
    pe = "lut(int2, int8, m=2, n=64, k=4, acc=int32, stages=3)"
    tile = partial(absolute, pe, at=THEIR_NODE)
    return [
        Claim(
            name="lut/tile-area",
            paper=f"{PAPER}, Table 2 (printed as mm2, evidently um2)",
            statement="A W2A8 LUT tensor core of M2N64K4 takes 11,991 um2 at 28 nm",
            quantity="area of M2N64K4, um2",
            theirs=11991.29,
            ours=tile(quantity="area", macs_per_cycle=256),
            even=None,
            why="94 um2 a sum leave little room for a 32-bit accumulator with its registers, enable and clear, which "
            "ours has; where theirs keeps its sums is not known to us. Our 28 nm are scaled from 45 nm.",
        ),
        Claim(
            name="lut/tile-energy",
            paper=f"{PAPER}, Table 2: 16.22 mW at 1 GHz, 256 MACs a cycle",
            statement="A W2A8 LUT tensor core of M2N64K4 takes 16.22 mW at 28 nm and 1 GHz",
            quantity="energy per MAC, pJ",
            theirs=16.22 / 256,
            ours=tile(quantity="energy"),
            even=None,
            why="Ours includes accumulators and glitches with Gaussian operands; theirs is a synthesis tool's "
            "estimate, the activity behind it not known to us.",
        ),
    ]


def _smallest(areas: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The key with the least area, in each draw."""
    return np.asarray(np.array(list(areas), float)[np.argmin(list(areas.values()), axis=0)])


def _last_win(areas: dict[int, NDArray[np.float64]], others: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """How many of the keys, from the first, have less area than the others before one has not, in each draw."""
    return np.asarray(np.cumprod([areas[key] < others[key] for key in areas], axis=0).sum(axis=0), float)
