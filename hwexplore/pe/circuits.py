"""Building blocks of PEs: each a bill of hardware with the formula behind every count, and the path through it.

``toggles`` are output transitions per bit and cycle, without glitches.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import NamedTuple

from hwexplore.technology import Item, Stage

__all__ = [
    "ADDERS",
    "Block",
    "adder",
    "align_shifter",
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

ADDERS = ("ripple", "prefix")


class Block(NamedTuple):
    """Items of a circuit, and the stages on its critical path."""

    items: tuple[Item, ...] = ()
    path: tuple[Stage, ...] = ()

    def __add__(self, other: Block) -> Block:  # type: ignore[override]
        """This circuit followed by ``other``: costs add, paths follow each other."""
        return Block(self.items + other.items, self.path + other.path)

    def times(self, count: int) -> Block:
        """``count`` of these circuits, side by side."""
        if count == 1:
            return self
        return Block(
            tuple(replace(item, count=item.count * count, why=f"{count} x {item.why}") for item in self.items),
            self.path,
        )

    def in_series(self, count: int) -> Block:
        """``count`` of these circuits, one after the other."""
        return Block(self.times(count).items, self.path * count)

    def beside(self, other: Block) -> Block:
        """This circuit with ``other`` off its critical path."""
        return Block(self.items + other.items, self.path)


zeros = Block()


def gates(part: str, primitive: str, count: float, toggles: float, why: str, depth: float = 1) -> Block:
    """``count`` gates of one kind, ``depth`` of them in series; nothing if there are none."""
    if count <= 0:
        return zeros
    path = (Stage(part, primitive, depth),) if depth else ()
    return Block((Item(part, primitive, count, toggles, why),), path)


def cut(path: tuple[Stage, ...], parts: int) -> tuple[Stage, ...]:
    """The longest of equal ``parts`` of a path, between pipeline registers."""
    return tuple(Stage(stage.part, stage.primitive, stage.count / parts, stage.carry) for stage in path)


def registers(part: str, bits: float, toggles: float, why: str) -> Block:
    """Flip-flops; their outputs do not glitch."""
    return Block((Item(part, "flip_flop", bits, toggles, why),)) if bits else zeros


def partial_products(w: int, a: int, signed: bool, booth: bool, toggles: float) -> tuple[Block, int, int]:
    """The rows of a ``w`` x ``a`` multiplier, how many they are, and how many bits they have together.

    Either an AND array (Baugh-Wooley where ``signed``) or radix-4 Booth rows, recoded over the narrower operand.
    """
    part = "partial products"
    if not booth:
        signs = w + a - 2 if signed else 0
        block = gates(part, "and2", w * a - signs, toggles, f"{w} x {a} bits" + ", less the signs'" * signed)
        sign_bits = gates(part, "nand2", signs, toggles, "sign row and sign column (Baugh-Wooley)")
        return block.beside(sign_bits), min(w, a), w * a
    rows, bits = min(w, a) // 2 + 1, max(w, a) + 2
    recode = gates("Booth recoding", "xor2", 3 * rows, toggles, f"three per row, {rows} rows")
    select = gates(part, "mux2", rows * bits, toggles, f"{rows} rows of {bits} bits: once or twice the operand")
    negate = gates(part, "xor2", rows * bits, toggles, f"{rows} rows of {bits} bits: sign of the digit")
    return recode + select + negate, rows, rows * bits


def compressor(count: int, rows: int, toggles: float) -> Block:
    """A tree of ``count`` full adders that brings ``rows`` rows down to two."""
    why = "each takes one of the product's bits out of the sum"
    return gates("compressor", "full_adder", count, 2 * toggles, why, dadda_levels(rows))


def multiplier(w: int, a: int, signed: bool, booth: bool, kind: str, toggles: float) -> Block:
    """A ``w`` x ``a`` multiplier with its own final adder."""
    products, rows, bits = partial_products(w, a, signed, booth, toggles)
    if rows == 1:
        return products
    tree = compressor(max(bits - 2 * (w + a), 0), rows, adder_toggles(toggles))
    return products + tree + adder("multiplier's adder", w + a, kind, adder_toggles(toggles))


def adder(part: str, width: int, kind: str, toggles: float) -> Block:
    """A ``width``-bit carry-propagate adder, ``ripple`` or ``prefix`` (Sklansky)."""
    if kind == "ripple":
        why = f"one per bit, {width} bits"
        items = gates(part, "full_adder", width, 2 * toggles, why).items
        return Block(items, (Stage(part, "full_adder", width, carry=True),))
    depth = ceil(log2(max(width, 2)))
    nodes = width / 2 * depth
    tree = f"Sklansky prefix tree: {width} / 2 x {depth} nodes"
    return (
        gates(part, "half_adder", width, 2 * toggles, "propagate and generate of each bit")
        + gates(part, "and2", 2 * nodes, toggles, f"{tree} of two", depth)
        + gates(part, "or2", nodes, toggles, tree, depth)
        + gates(part, "xor2", width, toggles, "sum bits")
    )


def incrementer(part: str, width: int, kind: str, toggles: float) -> Block:
    """Adds one bit to a ``width``-bit number: a chain of half adders, or a tree of ANDs."""
    if kind == "ripple":
        return gates(part, "half_adder", width, 2 * toggles, f"one per bit, {width} bits", width)
    depth = ceil(log2(max(width, 2)))
    tree = gates(part, "and2", width / 2 * depth, toggles, f"carries: {width} / 2 x {depth} nodes", depth)
    return tree + gates(part, "xor2", width, toggles, "one per bit")


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


UNIFORM_PRODUCT_ACTIVITY = 2 * 0.25 * 0.75
"""Transitions per cycle of an AND of two fair, independent bits."""
