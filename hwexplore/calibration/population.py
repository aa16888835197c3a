"""The processing elements that are synthesised, and which of them no fit may see."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from itertools import product

from hwexplore.pe import PE

__all__ = ["SMALL", "is_held_out", "population"]

SMALL = 66
"""How many of the population stand for all of it on the nodes that are not synthesised in full."""

_MINIFLOATS = ("e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "fp16", "bf16")

_TEXTS = (
    # Integer multiply-accumulate units: widths, accumulators, pipelines.
    *(f"mac(int{w}, int{a}, acc=int32)" for w, a in ((2, 2), (2, 4), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8))),
    *(f"mac(int{w}, int{a}, acc=int32)" for w, a in ((2, 8), (3, 8), (4, 8), (6, 8), (4, 16), (8, 16), (12, 12))),
    *(f"mac(uint{w}, uint{a}, acc=int24)" for w, a in ((4, 4), (8, 8), (4, 8))),
    *(f"mac(int{n}, int{n}, acc=exact({k}))" for n, k in product((4, 8), (16, 4096))),
    *(f"mac(int{n}, int{n}, acc=int{acc} sat)" for n, acc in ((4, 16), (6, 20), (8, 24))),
    *(
        f"mac(int{n}, int{n}, acc=int{acc}, stages={s})"
        for n, acc, s in ((8, 32, 2), (8, 32, 3), (16, 40, 2), (4, 24, 2))
    ),
    "mac(int16, int16, acc=int40)",
    "mac(ternary, int8, acc=int24)",
    "mac(bipolar3, int8, acc=int24)",
    # Minifloats: what the accumulator is decides the unit.
    *(f"mac({f}, {f}, acc=fp32)" for f in _MINIFLOATS),
    *(f"mac({f}, {f}, acc=fp16)" for f in ("e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "fp16")),
    *(f"mac({f}, {f}, acc=exact(128))" for f in ("e4m3", "e2m1", "e2m3", "e3m2")),
    *(f"mac({f}, {f}, acc=exact(4096))" for f in ("e4m3", "e5m2", "e2m1", "e3m2")),
    *(f"mac({f}, {f}, acc=fp32, stages={s})" for f, s in (("e4m3", 2), ("bf16", 3), ("fp16", 2))),
    *(f"mac({w}, {a}, acc=fp32)" for w, a in (("int4", "fp16"), ("int8", "bf16"), ("e2m1", "e4m3"), ("int2", "fp16"))),
    *(f"mac({w}, {a}, acc=fp16)" for w, a in (("int4", "fp16"), ("e2m1", "int8"), ("ternary", "fp16"))),
    "mac(int4, e4m3, acc=exact(128))",
    "mac(e2m1, int8, acc=exact(4096))",
    # Dot products with shared exponents and block scales.
    *(f"dot({f}, {f}, lanes={n})" for f, n in product(("mxfp4", "nvfp4", "mxint8", "nvint4"), (4, 8, 16))),
    *(f"dot({f}, {f}, lanes={n})" for f, n in product(("mxfp8", "mxfp6", "mxint4", "mxint6", "mxfp8_e5m2"), (4, 8))),
    *(f"dot({f}, {f}, lanes=8, window={w})" for f, w in (("mxfp8", 12), ("mxfp8", 24), ("nvfp4", 6), ("mxfp6", 10))),
    *(f"dot({f}, {f}, lanes={n}, acc=fp16)" for f, n in (("mxfp4", 8), ("nvfp4", 4), ("mxint4", 8))),
    *(f"dot(int{n}, int{n}, lanes={k}, acc=int32)" for n, k in ((8, 4), (8, 8), (4, 8), (4, 16), (2, 16), (6, 4))),
    *(f"dot({w}, {a}, lanes=4, acc=int32)" for w, a in (("int4", "int8"), ("int2", "int8"), ("ternary", "int8"))),
    *(f"dot({f}, {f}, lanes=8, stages=2)" for f in ("mxfp4", "mxint8", "nvfp4")),
    "dot(int8, int8, lanes=4, acc=int32, stages=2)",
    "dot(mxfp4, mxfp8, lanes=8)",
    "dot(e4m3, e4m3, lanes=4, acc=fp32)",
    # Shift and add.
    *(
        f"shift_add({w}, int8, group=128)"
        for w in ("int2", "int3", "int4", "uint3", "uint4", "ternary", "e2m0", "e3m0")
    ),
    *(f"shift_add({w}, {a}, group=128)" for w, a in product(("int2", "int4", "uint4"), ("int4", "int16", "fp16"))),
    *(f"shift_add(int4, int8, group={g})" for g in (1, 32)),
    *(
        f"shift_add({w}, int8, group=64, stages={s})"
        for w, s in (("int4", 2), ("int4", 4), ("ternary", 3), ("e3m0", 3))
    ),
    *(f"shift_add({w}, e4m3, group=32, acc=fp16)" for w in ("int2", "e2m0", "int4")),
    *(f"shift_add({w}, bf16, group=64)" for w in ("int4", "bipolar3", "e3m0")),
    "shift_add(int4, int8, group=128, acc=fp16)",
    "shift_add(int3, uint8, group=32, acc=bf16)",
    # LUT tensor cores: few columns, so that a unit stays small enough to synthesise often.
    *(f"lut({w}, int8, m=1, n={n}, k={k})" for w, n, k in product(("int1", "int2", "int4"), (4,), (2, 3, 4))),
    *(f"lut(int2, int8, m={m}, n={n}, k=4)" for m, n in ((1, 8), (1, 16), (2, 4))),
    *(f"lut(int{w}, int4, m=1, n=4, k={k})" for w, k in ((1, 4), (2, 4), (4, 2), (2, 5))),
    *(f"lut(int{w}, int16, m=1, n=4, k={k})" for w, k in ((1, 4), (2, 3), (4, 2))),
    *(f"lut(int{w}, int8, m=1, n=4, k=4, bits=1)" for w in (2, 4)),
    *(f"lut(int{w}, int8, m=1, n=4, k=4, table=int8)" for w in (1, 4)),
    *(f"lut(int2, int8, m=1, n=4, k=4, stages={s})" for s in (2,)),
    *(f"lut(int{w}, fp16, m=1, n={n}, k=2, acc=fp16)" for w, n in ((1, 4), (2, 2))),
    "lut(bipolar2, int8, m=1, n=4, k=4)",
    "lut(uint3, int8, m=1, n=4, k=3)",
    # Bit planes.
    *(f"bit_serial(int{w}, int{a})" for w, a in ((1, 8), (2, 2), (2, 8), (4, 4), (4, 8), (8, 8))),
    *(f"bit_serial(bipolar{w}, bipolar{a})" for w, a in ((1, 1), (2, 2), (3, 4), (4, 4), (1, 8))),
    *(f"bit_serial({f}4, {f}4, lanes={n})" for f, n in product(("int", "bipolar"), (8, 16, 64))),
    *(f"bit_serial(uint4, uint4, lanes=16, acc=int{n})" for n in (20, 32)),
    *(f"bit_serial(int2, int8, lanes=16, stages={s})" for s in (2, 3)),
    "bit_serial(int4, int4, lanes=32, acc=exact(4096))",
    "bit_serial(uint2, int8, lanes=32)",
    # One unit for several precisions.
    *(f"multi({f}8, {g}8, acc=int{n})" for (f, g), n in product((("int", "int"), ("uint", "uint")), (20, 24, 32))),
    *(f"multi({f}4, {g}4, acc=int{n})" for (f, g), n in product((("int", "int"), ("uint", "int")), (16, 32))),
    *(f"multi(int8, int8, acc=int32, stages={s})" for s in (2, 3)),
    *(f"multi(int4, int4, acc=int24, stages={s})" for s in (2,)),
    "multi(int16, int16, acc=int40)",
    "multi(int8, uint8, acc=int24 sat)",
    "multi(int4, int4, acc=int16 sat)",
    "multi(int8, int8, acc=exact(4096))",
    "multi(uint4, uint4, acc=exact(4096))",
    "multi(uint8, int8, acc=int32, stages=2)",
)


@cache
def population(small: bool = False) -> tuple[PE, ...]:
    """The PEs of a calibration, over all families; ``small``: `SMALL` of them, each family with its share.

    Which ones are in the small population is drawn by a hash of their texts, like the held-out ones but independently.
    """
    pes = tuple(dict.fromkeys(PE.parse(text) for text in _TEXTS))
    if not small:
        return pes
    rank: dict[PE, float] = {}
    for family in PE.families():
        members = sorted((pe for pe in pes if pe.family == family), key=_digest)
        rank |= {pe: (place + 0.5) / len(members) for place, pe in enumerate(members)}
    chosen = set(sorted(pes, key=rank.__getitem__)[:SMALL])
    return tuple(pe for pe in pes if pe in chosen)


def is_held_out(pe: PE) -> bool:
    """Whether ``pe`` is kept from every fit, to measure it on: a quarter of all PEs, by their text."""
    return int.from_bytes(sha256(str(pe).encode()).digest()) % 4 == 0


def _digest(pe: PE) -> bytes:
    return sha256(f"small population: {pe}".encode()).digest()
