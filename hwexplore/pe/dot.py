"""Family ``dot``: k products at a time, aligned, added, scaled once per block."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer, Minifloat, Scaled
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import saturating_accumulation, signed, wrap
from hwexplore.pe.base import PE, Tile
from hwexplore.pe.codes import Codes, matrices, pack
from hwexplore.pe.dot_arithmetic import block_sums, float_accumulation
from hwexplore.pe.dot_circuit import dot_bill
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["Dot"]

MAX_LANES = 128
MAX_STAGES = 8
WIDEST_WINDOW = 46
WIDEST_EXACT = 128
"""Bits of the sum of products beyond which an alignment window has to be given."""


@dataclass(frozen=True)
class Dot(PE):
    """A dot-product unit of ``lanes`` products a cycle over MX, NV and other block formats, integers, floating point.

    Products are exact. They are added in fixed point, aligned to each other in a ``window`` of so many bits, sign
    included and carries apart. Its top is the product bits' top at the largest exponent among the cycle's products,
    zeros ignored; bits below its end are floored, in two's complement. Without a window, and with one of
    ``exact_window`` bits or more, the sum is exact. Integers are aligned as they are and take no window.

    Where operands have scales, each block's sum takes them once: with fewer lanes than a block has elements, the cycles
    of a block are summed first, exactly; with more, each cycle gives one such sum per block, added in ascending order.
    The sum of a block (without scales: of a cycle), times its scales, is added to the accumulator exactly, and a
    floating-point accumulator rounds each addition once, to nearest even. The scale of a whole tensor stays outside:
    sums are in units of it.

    With ``stages`` = 1, all happens in one cycle; further stages cut off the accumulation, then split the sum of
    products.
    """

    family: ClassVar[str] = "dot"
    options: ClassVar[tuple[str, ...]] = ("lanes", "acc", "window", "stages")

    weight_port: Operand
    activation_port: Operand
    weight_blocks: Scaled | None
    activation_blocks: Scaled | None
    lanes: int
    accumulator: Accumulator
    window: int | None = None
    stages: int = 1

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> Dot:
        (weight, weight_blocks), (activation, activation_blocks) = (
            _port(Format.parse(name), arguments.text) for name in arguments.operands
        )
        plain = weight_blocks is None and activation_blocks is None
        default = "int32" if plain and not (weight.is_float or activation.is_float) else "fp32"
        return cls(
            weight,
            activation,
            weight_blocks,
            activation_blocks,
            arguments.whole("lanes", 32, 1, MAX_LANES),
            Accumulator.parse(arguments.options.get("acc", default)),
            arguments.whole("window", 0, 2, WIDEST_WINDOW) if "window" in arguments.options else None,
            arguments.whole("stages", 1, 1, MAX_STAGES),
        )

    def __post_init__(self) -> None:
        blocks = {blocks.block for blocks in (self.weight_blocks, self.activation_blocks) if blocks is not None}
        if len(blocks) > 1:
            raise InputError(
                f"{self}: blocks of {self.weight} and {self.activation} differ; a sum takes one scale each"
            )
        if self.block and self.lanes % self.block and self.block % self.lanes:
            raise InputError(
                f"{self}: lanes = {self.lanes} and the block of {self.block} must be a multiple of one another"
            )
        if self.accumulator.format is None and (self.is_float or self.block):
            raise InputError(f"{self}: accumulator {self.accumulator} takes plain integers; give a floating-point one")
        if self.accumulator.kind in ("wrap", "saturate") and not self.accumulator.holds(1, self.largest_sum):
            needed = Accumulator("exact", 1).bits(self.largest_sum)
            raise InputError(f"{self}: accumulator {self.accumulator} is too narrow: one sum needs {needed} bits")
        if self.window is not None and not self.is_float:
            raise InputError(f"{self}: products of integers are aligned as they are; leave out the window")
        if self.window is None and self.exact_window > WIDEST_EXACT:
            raise InputError(
                f"{self}: exact sums of these products have {self.exact_window} bits; "
                f"give a window of 2 to {WIDEST_WINDOW} bits"
            )

    def __str__(self) -> str:
        window = "" if self.window is None else f", window={self.window}"
        stages = f", stages={self.stages}" if self.stages > 1 else ""
        return f"dot({self.weight}, {self.activation}, lanes={self.lanes}, acc={self.accumulator}{window}{stages})"

    @property
    def weight(self) -> Format:
        return self.weight_blocks or self.weight_port.format

    @property
    def activation(self) -> Format:
        return self.activation_blocks or self.activation_port.format

    @property
    def scales(self) -> dict[str, Operand]:
        """The formats of the scales, by operand; only of operands that have them."""
        blocks = {"weight": self.weight_blocks, "activation": self.activation_blocks}
        return {name: Operand(format.scale) for name, format in blocks.items() if format is not None}

    @property
    def block(self) -> int | None:
        """Elements that share a scale; None without scales."""
        blocks = self.weight_blocks or self.activation_blocks
        return blocks.block if blocks else None

    @property
    def terms(self) -> int:
        """Products of one addition to the accumulator."""
        return self.block or self.lanes

    @property
    def parts(self) -> int:
        """Additions to the accumulator of one cycle, 1 if they are less frequent."""
        return max(self.lanes // self.terms, 1)

    @property
    def tile(self) -> Tile:
        return Tile(k=max(self.lanes, self.terms), cycles=max(self.terms // self.lanes, 1))

    @property
    def is_float(self) -> bool:
        """Whether an operand has an exponent."""
        return self.weight_port.is_float or self.activation_port.is_float

    @property
    def product_bits(self) -> int:
        """Width of the product of two significands."""
        return self.weight_port.width + self.activation_port.width

    @property
    def exact_window(self) -> int:
        """The least window that loses no bit of any product."""
        return 1 + self.product_bits + self.weight_port.shifts + self.activation_port.shifts

    @property
    def is_aligned(self) -> bool:
        """Whether products are aligned to the largest one, rather than to the smallest possible step."""
        return self.window is not None and self.window < self.exact_window

    @property
    def sum_window(self) -> int:
        """Bits in which the products of a cycle are added, carries apart."""
        return min(self.window or self.exact_window, self.exact_window)

    @property
    def places(self) -> int:
        """Places that the window adds below the largest product, negative if it cuts them off; 0 if sums are exact."""
        return self.sum_window - 1 - self.product_bits if self.is_aligned else 0

    @property
    def largest_sum(self) -> int:
        """The largest magnitude of one sum, in steps."""
        return self.terms * self.weight_port.largest * self.activation_port.largest

    @property
    def sum_bits(self) -> int:
        """Bits of the magnitude of what is added, before the scales."""
        if self.is_aligned and self.tile.cycles == 1:
            return self.sum_window + (self.terms - 1).bit_length()
        return self.largest_sum.bit_length()

    @property
    def term_bits(self) -> int:
        """Bits of the significand of what is added to the accumulator."""
        return self.sum_bits + sum(scale.width for scale in self.scales.values() if scale.width > 1)

    @property
    def latency_cycles(self) -> int:
        return self.stages

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.bits(self.weight_port.largest * self.activation_port.largest)

    def accepts(self, weight: Format, activation: Format, terms: int) -> bool:
        fits = all(
            format == own if isinstance(format, Scaled) else port.accepts(format)
            for format, own, port in (
                (weight, self.weight, self.weight_port),
                (activation, self.activation, self.activation_port),
            )
        )
        return fits and self.accumulator.takes(terms)

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        w, w_scales = self._elements(weights, self.weight)
        a, a_scales = self._elements(activations, self.activation)
        w, a = matrices(w, a)
        self.accumulator.check(w.shape[1])
        if self.accumulator.format is not None:
            return float_accumulation(self, w, a, w_scales, a_scales)
        sums = block_sums(self, w, a)
        if self.accumulator.kind == "saturate":
            return wrap(saturating_accumulation(sums, self.accumulator_bits), self.accumulator_bits)
        return wrap(np.sum(list(sums), axis=0), self.accumulator_bits)

    def _elements(self, operand: Codes | Encoded, format: Format) -> tuple[Codes, NDArray[np.float64]]:
        """Codes [rows, k] and scales [rows, blocks]."""
        if isinstance(operand, Encoded):
            if not isinstance(format, Scaled):
                raise InputError(f"{self}: operands of {format} have no scales; apply them to its sums")
            return operand.codes, operand.scales.astype(float)
        return operand, np.ones((len(operand), ceil(operand.shape[-1] / self.terms)))

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        if self.accumulator.format is not None:
            return self.accumulator.format.decode(codes)
        return signed(codes, self.accumulator_bits).astype(float)

    @property
    def ports(self) -> dict[str, int]:
        scales = {f"{name}_scale": self.parts * scale.format.element_bits for name, scale in self.scales.items()}
        elements = {"weight": self.weight_port, "activation": self.activation_port}
        return {**{name: self.lanes * port.format.element_bits for name, port in elements.items()}, **scales}

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        return self._beats("weight", weights, self.weight)

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        return self._beats("activation", activations, self.activation)

    def _beats(self, name: str, operand: Codes | Encoded, format: Format) -> dict[str, Codes]:
        codes, scales = self._elements(operand, format)
        lanes = pack(codes.reshape(len(codes), -1, self.lanes), format.element_bits)
        if name not in self.scales:
            return {name: lanes}
        scale = self.scales[name].format
        encoded = pack(scale.encode(scales).reshape(len(codes), -1, self.parts), scale.element_bits)
        return {name: lanes, f"{name}_scale": np.repeat(encoded, self.tile.cycles, axis=1)}

    @property
    def meanings(self) -> dict[str, str]:
        order = "from bit 0"
        lanes = {name: f"{self.lanes} elements of {getattr(self, name)}, {order}" for name in ("weight", "activation")}
        when = f"{self.parts} blocks, {order}" if self.parts > 1 else "looked at in the last cycle of the block"
        scales = {f"{name}_scale": f"{scale.format}, {when}" for name, scale in self.scales.items()}
        return {**super().meanings, **lanes, **scales}

    def bill(self, operands: str) -> Bill:
        return dot_bill(self, operands)


def _port(format: Format, text: str) -> tuple[Operand, Scaled | None]:
    if isinstance(format, Integer | Minifloat):
        return Operand(format), None
    if not isinstance(format, Scaled) or format.block is None or format.zero_point or format.outer == "channel":
        raise InputError(
            f"PE {text!r}: operand {format} must have one scale per block and no zero point, as mxfp4, nvfp4, int4_g128"
        )
    return Operand(format.element), format
