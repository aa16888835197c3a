"""FPGA devices: their resources, and what a bill of hardware, multipliers and memories take of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil, exp
from typing import Any

import tomllib

from hwexplore.errors import InputError, unknown
from hwexplore.technology.bill import PRIMITIVES, Bill
from hwexplore.technology.interval import Interval

__all__ = ["Device", "DspRule", "LutLaw", "MemoryBlock", "Multiplier", "load", "names", "part_counts"]

Z_95 = 1.6449
"""The 95 % point of a standard normal distribution."""


@dataclass(frozen=True)
class Multiplier:
    """``count`` multipliers of so many bits; ``of_operands`` if they multiply what comes to the ports of a PE."""

    wide: int
    narrow: int
    signed: bool
    count: int = 1
    of_operands: bool = False

    def __post_init__(self) -> None:
        bits = self.wide, self.narrow
        object.__setattr__(self, "wide", max(bits))
        object.__setattr__(self, "narrow", min(bits))


@dataclass(frozen=True, kw_only=True)
class DspRule:
    """Which multipliers go into DSP blocks, signed multipliers of ``wide`` x ``narrow`` bits.

    They have at least ``product_bits``, and each operand ``operand_bits``. What is wider is cut into parts of ``part``
    bits. ``packing`` gives, by bits of both operands, how many products that share an operand one block can make: a
    model of what RTL written for it does, synthesis does not find it.
    """

    wide: int
    narrow: int
    part: int
    signed_only: bool
    operand_bits: int
    product_bits: int
    source: str
    packing: Mapping[int, int]
    packing_source: str

    def takes(self, multiplier: Multiplier, packed: bool = False) -> bool:
        """Whether ``multiplier`` goes into DSP blocks."""
        wide, narrow = multiplier.wide, multiplier.narrow
        inferred = narrow >= self.operand_bits and wide + narrow >= self.product_bits
        return inferred or (packed and self._together(multiplier) > 1)

    def blocks(self, multiplier: Multiplier, packed: bool = False) -> float:
        """DSP blocks of ``multiplier``, a fraction of one where several are ``packed`` into it."""
        if packed and (together := self._together(multiplier)) > 1:
            return multiplier.count / together
        sign = int(self.signed_only and not multiplier.signed)
        factors = ((multiplier.wide, self.wide), (multiplier.narrow, self.narrow))
        parts = [1 + max(ceil((bits + sign - most) / (self.part - 1)), 0) for bits, most in factors]
        return float(multiplier.count * parts[0] * parts[1])

    def _together(self, multiplier: Multiplier) -> int:
        counts = (count for bits, count in self.packing.items() if multiplier.wide <= bits)
        return max(counts, default=1) if multiplier.of_operands else 1


@dataclass(frozen=True, kw_only=True)
class MemoryBlock:
    """A kind of memory block and the shapes, ``(width, depth)`` in bits and words, that it can take."""

    shapes: tuple[tuple[int, int], ...]
    source: str

    def count(self, size_bytes: float, word_bits: int) -> int:
        """Blocks of one shape, side by side and on end, that hold ``size_bytes`` in words of ``word_bits``."""
        if not size_bytes > 0 or word_bits < 1:
            raise InputError(f"a memory of {size_bytes} bytes in words of {word_bits} bits; both must be positive")
        words = ceil(size_bytes * 8 / word_bits)
        return min(ceil(word_bits / width) * ceil(words / depth) for width, depth in self.shapes)


@dataclass(frozen=True, kw_only=True)
class LutLaw:
    """LUTs of a bill of hardware: every primitive takes the coefficient of its part, or else that of its kind.

    ``luts`` maps ``part.primitive`` and ``primitive`` to LUTs; ``sigma`` is that of the log-normal spread of synthesis
    around the law.
    """

    luts: Mapping[str, float]
    sigma: float
    source: str

    def __call__(self, bill: Bill) -> float:
        """The LUTs of ``bill``, at the middle of the spread."""
        return sum(
            count * self.luts.get(name, self.luts[name.rpartition(".")[2]]) for name, count in part_counts(bill).items()
        )


def part_counts(bill: Bill) -> dict[str, float]:
    """Primitives of each part of ``bill``, by ``part.primitive``; flip-flops are no matter of LUTs."""
    parts: dict[str, float] = {}
    for item in bill:
        if item.primitive != "flip_flop":
            name = f"{item.part}.{item.primitive}"
            parts[name] = parts.get(name, 0.0) + item.count
    return parts


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA: ``resources`` that it has, by name, and the laws by which hardware takes them.

    ``memories`` are those of its resources that are memory blocks. ``ff_sigma`` is the log-normal spread of flip-flops
    around those of a bill, and ``ff_source`` where it comes from.
    """

    name: str
    description: str
    resources: Mapping[str, int]
    memories: Mapping[str, MemoryBlock]
    dsp_rule: DspRule
    lut_law: LutLaw
    ff_sigma: float
    ff_source: str
    sources: Mapping[str, str]

    def price(self, bill: Bill, multipliers: Iterable[Multiplier] = (), packed: bool = False) -> dict[str, Interval]:
        """``lut``, ``ff`` and ``dsp`` of a circuit: its ``bill`` and the ``multipliers`` that are in DSP blocks.

        The bill is without these multipliers.
        """
        flip_flops = sum(item.count for item in bill if item.primitive == "flip_flop")
        blocks = sum(self.dsp_rule.blocks(multiplier, packed) for multiplier in multipliers)
        return {
            "lut": _interval(self.lut_law(bill), self.lut_law.sigma),
            "ff": _interval(flip_flops, self.ff_sigma),
            "dsp": _interval(blocks, 0.0),
        }

    def memory(self, size_bytes: float, word_bits: int) -> tuple[str, int]:
        """The kind of memory block of which a buffer takes the smaller share, and how many of them."""
        counts = {name: block.count(size_bytes, word_bits) for name, block in self.memories.items()}
        return min(counts.items(), key=lambda entry: entry[1] / self.resources[entry[0]])

    def energy_pj(self, bill: Bill) -> float:
        """InputError: no source tells what this fabric's energy is."""
        raise InputError(
            f"the energy of hardware on {self.name} is not known: no power source is part of its model; "
            "measure it on the board, or ask for a technology such as nangate45"
        )


def _interval(mid: float, sigma: float) -> Interval:
    return Interval(mid * exp(-Z_95 * sigma), mid, mid * exp(Z_95 * sigma))


def names() -> list[str]:
    """The FPGA devices that ship with hwexplore."""
    folder = files("hwexplore.models") / "devices"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def load(name: str) -> Device:
    """The FPGA device called ``name``."""
    if name not in names():
        raise unknown("FPGA device", name, names())
    return _from_table(tomllib.loads((files("hwexplore.models") / "devices" / f"{name}.toml").read_text("utf-8")))


def _from_table(table: Mapping[str, Any]) -> Device:
    memories = {
        name: MemoryBlock(shapes=tuple(tuple(shape) for shape in record["shapes"]), source=record["source"])
        for name, record in table["memories"].items()
    }
    missing = [name for name in PRIMITIVES if name not in {"inverter", "flip_flop", *table["lut"]["luts"]}]
    if missing:
        raise InputError(f"FPGA device {table['name']} prices no {', '.join(missing)}")
    rule = {**table["dsp"], "packing": {int(bits): count for bits, count in table["dsp"]["packing"].items()}}
    return Device(
        name=table["name"],
        description=table["description"],
        resources=table["resources"],
        memories=memories,
        dsp_rule=DspRule(**rule),
        lut_law=LutLaw(**table["lut"]),
        ff_sigma=table["ff"]["sigma"],
        ff_source=table["ff"]["source"],
        sources=table["sources"],
    )
