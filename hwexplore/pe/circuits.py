"""Building blocks of PEs: each a bill of hardware with the formula behind every count, and the path through it.

``toggles`` are output transitions per bit and cycle, without glitches.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import NamedTuple

from hwexplore.technology import Item, Stage
from hwexplore.technology.bill import LIVELINESS, overlapped

__all__ = [
    "FUSED",
    "Block",
    "adder",
    "align_shifter",
    "booth_multiplier",
    "compressor",
    "cut",
    "gates",
    "incrementer",
    "leading_zeros",
    "left_shifter",
    "multiplier",
    "partial_products",
    "registers",
    "zeros",
]


class Block(NamedTuple):
    """Items of a circuit, and the stages on its critical path."""

    items: tuple[Item, ...] = ()
    path: tuple[Stage, ...] = ()

    def __add__(self, other: Block) -> Block:  # type: ignore[override]
        """This circuit followed by ``other``: costs add, paths follow each other."""
        levels = sum(stage.count for stage in overlapped(self.path))
        deeper = tuple(replace(item, depth=item.depth + levels) for item in other.items)
        return Block(self.items + deeper, self.path + other.path)

    def times(self, count: int) -> Block:
        """``count`` of these circuits, side by side."""
        if count == 1:
            return self
        return Block(
            tuple(replace(item, count=item.count * count, why=f"{count} x {item.why}") for item in self.items),
            self.path,
        )

    def serving(self, purpose: str) -> Block:
        """This circuit, all of which has this purpose unless it has one already."""
        return Block(tuple(replace(item, purpose=item.purpose or purpose) for item in self.items), self.path)

    def in_series(self, count: int) -> Block:
        """``count`` of these circuits, one after the other."""
        return Block(self.times(count).items, self.path * count)

    def unrest(self, factor: float) -> Block:
        """This circuit with its glitches multiplied."""
        return Block(tuple(replace(item, unrest=item.unrest * factor) for item in self.items), self.path)

    def two_s_complement(self, signed: bool) -> Block:
        """This circuit, its numbers in two's complement if they are ``signed``."""
        return self.unrest(SIGNED) if signed else self

    def active_in(self, share: float) -> Block:
        """This circuit, whose inputs change in no more than this ``share`` of cycles."""
        return self.unrest(min(share, 1) ** (1 - LIVELINESS))

    def beside(self, other: Block) -> Block:
        """This circuit with ``other`` off its critical path."""
        return Block(self.items + other.items, self.path)


zeros = Block()


def gates(part: str, primitive: str, count: float, toggles: float, why: str, depth: float = 1) -> Block:
    """``count`` gates of one kind, ``depth`` of them in series; nothing if there are none."""
    if count <= 0:
        return zeros
    path = (Stage(part, primitive, depth),) if depth else ()
    return Block((Item(part, primitive, count, toggles, why, depth / 2),), path)


def cut(path: tuple[Stage, ...], parts: int) -> tuple[Stage, ...]:
    """The longest of equal ``parts`` of a path, between pipeline registers."""
    return tuple(Stage(stage.part, stage.primitive, stage.count / parts, stage.carry) for stage in path)


def registers(part: str, bits: float, toggles: float, why: str) -> Block:
    """Flip-flops; their outputs do not glitch."""
    return Block((Item(part, "flip_flop", bits, toggles, why),)) if bits else zeros


def partial_products(w: int, a: int, signed: bool, toggles: float) -> Block:
    """The AND array of a ``w`` x ``a`` multiplier, Baugh-Wooley where ``signed``."""
    part, signs = "partial products", w + a - 2 if signed else 0
    block = gates(part, "and2", w * a - signs, toggles, f"{w} x {a} bits" + ", less the signs'" * signed)
    return block.beside(gates(part, "nand2", signs, toggles, "sign row and sign column (Baugh-Wooley)"))


def compressor(count: int, rows: int, toggles: float) -> Block:
    """A tree of ``count`` full adders that brings ``rows`` rows down to two."""
    why = "each takes one of the product's bits out of the sum"
    return gates("compressor", "full_adder", count, 2 * toggles, why, dadda_levels(rows))


def multiplier(w: int, a: int, signed: bool, toggles: float) -> Block:
    """A ``w`` x ``a`` array multiplier with its own final adder."""
    products = partial_products(w, a, signed, toggles)
    return products if min(w, a) == 1 else products + _sum_of_rows(w * a, min(w, a), w + a, toggles)


def booth_multiplier(w: int, a: int, toggles: float) -> Block:
    """An unsigned ``w`` x ``a`` multiplier, both of two bits or more: radix-4 Booth rows over the narrower operand."""
    rows, bits = min(w, a) // 2 + 1, max(w, a) + 2
    why = f"{rows} rows of {bits} bits"
    recode = gates("Booth recoding", "xor2", 3 * rows, toggles, f"three per row, {rows} rows")
    select = gates("partial products", "mux2", rows * bits, toggles, f"{why}: once or twice the operand")
    negate = gates("partial products", "xor2", rows * bits, toggles, f"{why}: sign of the digit")
    return recode + select + negate + _sum_of_rows(rows * bits, rows, w + a, toggles)


def _sum_of_rows(bits: int, rows: int, width: int, toggles: float) -> Block:
    """What sums ``rows`` of together ``bits`` bits to a product of ``width`` bits."""
    both = adder_toggles(toggles)
    return compressor(max(bits - 2 * width, 0), rows, both) + adder("multiplier's adder", width, both)


def adder(part: str, width: int, toggles: float) -> Block:
    """A ``width``-bit carry-propagate adder: a chain of full adders."""
    chain = gates(part, "full_adder", width, 2 * toggles, f"one per bit, {width} bits", 2 * log2(max(width, 1)))
    return Block(chain.items, (Stage(part, "full_adder", width, carry=True),))


def incrementer(part: str, width: int, toggles: float) -> Block:
    """Adds one bit to a ``width``-bit number: a chain of half adders."""
    return gates(part, "half_adder", width, 2 * toggles, f"one per bit, {width} bits", width)


def left_shifter(part: str, width: int, places: int, toggles: float) -> Block:
    """A ``width``-bit number shifted left by 0 to ``places``: per stage, a multiplexer for each bit it can reach."""
    block = zeros
    for stage in range(places.bit_length()):
        bits = min(width + (2 << stage) - 1, width + places)
        block += gates(part, "mux2", bits, toggles, f"stage of {1 << stage}, {bits} bits wide")
    return block


def align_shifter(part: str, width: int, toggles: float) -> Block:
    """A ``width``-bit significand shifted within its width by any number of places."""
    stages = ceil(log2(width))
    return gates(part, "mux2", width * stages, toggles, f"{width} bits x {stages} stages", stages)


def leading_zeros(width: int, toggles: float) -> Block:
    """A leading-zero counter: a tree that finds the first one and selects its position."""
    depth = ceil(log2(width))
    found = gates("leading zeros", "or2", width - 1, toggles, f"tree over {width} bits", depth)
    position = gates("leading zeros", "mux2", width - 1, toggles, f"position, tree over {width} bits", 1)
    return found + position


def dadda_levels(height: int) -> int:
    """Levels of full adders that bring columns of ``height`` bits down to two (Dadda 1965)."""
    levels, reach = 0, 2
    while reach < height:
        levels, reach = levels + 1, reach * 3 // 2
    return levels


def adder_toggles(products: float) -> float:
    """Transitions of an adder's output: half a cycle's under fair bits, less where fewer products toggle."""
    return 0.5 * products / UNIFORM_PRODUCT_ACTIVITY


SIGNED = 2.0
"""Glitches of two's complement numbers, whose upper bits all follow the sign, against those of magnitudes: from the PEs
that were fitted, as the next one."""

FUSED = 2.4
"""Glitches of a signed multiplier into which the accumulator goes as one more row, against those of one on its own."""

UNIFORM_PRODUCT_ACTIVITY = 2 * 0.25 * 0.75
"""Transitions per cycle of an AND of two fair, independent bits."""
