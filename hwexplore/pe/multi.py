"""Family ``multi``: one integer unit that trades precision for products per cycle at run time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Encoded, Integer
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import exact_sums, saturating_accumulation, signed, wrap
from hwexplore.pe.base import PE, Tile
from hwexplore.pe.codes import Codes, matrices, pack, plain
from hwexplore.pe.multi_circuit import multi_bill
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["Multi"]

DIGIT = 2
"""Bits of the operands of one block multiplier."""


@dataclass(frozen=True)
class Multi(PE):
    """A precision-scalable multiply-accumulate unit over integers; the products of a cycle are summed together.

    Operands of ``width`` bits are cut into digits of two, and each digit of one is multiplied by each of the other, in
    (width / 2)^2 blocks. Modes combine the blocks into products of narrower numbers, all blocks busy in each: in mode
    ``AxW``, activations have A bits, weights W <= A, and (width / A) (width / W) products a cycle are added to the
    accumulator, which saturates, if it does, once a cycle. ``weight_port`` and ``activation_port`` are those of the
    mode that the PE is in; the hardware is that of all modes.

    Both operand ports have a word of ``width`` bits for each digit. With R = width / W and C = width / A, product
    r C + c (r < R, c < C) of a cycle takes its activation from bit A (r C + c) of its port on, and its weight from
    bit W (c R + r). Port ``mode`` has a bit for each halving of ``width``: the lower half of it for activations, the
    upper for weights, their lowest bits set first.

    Of ``stages`` pipeline stages, the last is the accumulator's; the others share the blocks and their sum.

    Source: Bit Fusion (Sharma et al., ISCA 2018); the sum-together units of Camus et al. (IEEE JETCAS 9(4), 2019).
    """

    family: ClassVar[str] = "multi"
    options: ClassVar[tuple[str, ...]] = ("acc", "stages", "mode")

    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator
    width: int = 8
    stages: int = 1

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> Multi:
        ports = [Operand.parse(name, arguments.text) for name in arguments.operands]
        for port in ports:
            if not isinstance(port.format, Integer) or port.format.coding not in ("twos_complement", "unsigned"):
                raise InputError(f"PE {arguments.text!r}: operand {port}; multi takes intN and uintN")
        weight, activation = ports
        width = weight.width
        if width not in WIDTHS or activation.width != width:
            raise InputError(f"PE {arguments.text!r}: operands {weight} and {activation}; both take 4, 8 or 16 bits")
        accumulator = Accumulator.parse(arguments.options.get("acc", "int32"))
        pe = cls(weight, activation, accumulator, width, arguments.whole("stages", 1, 1, MAX_STAGES))
        return pe.in_mode(arguments.options.get("mode", pe.mode))

    def __post_init__(self) -> None:
        if self.accumulator.kind == "float":
            raise InputError(f"accumulator {self.accumulator}: multi sums integers, in intN, 'intN sat' or exact(n)")
        if self.accumulator.kind == "exact" and self.accumulator.size < self.digits**2:
            raise InputError(
                f"accumulator {self.accumulator}: multi of {self.width} bits sums up to "
                f"{self.digits**2} products a cycle; give at least as many"
            )
        if not self.accumulator.holds(1, self.largest_product):
            weight, activation = self._widest
            raise InputError(
                f"accumulator {self.accumulator} is too narrow for {weight} x {activation}: "
                f"one product needs {self.cycle_bits} bits"
            )

    def __str__(self) -> str:
        weight, activation = self._widest
        stages = f", stages={self.stages}" if self.stages > 1 else ""
        mode = f", mode={self.mode}" if self.mode != self.modes[0] else ""
        return f"multi({weight}, {activation}, acc={self.accumulator}{stages}{mode})"

    @property
    def digits(self) -> int:
        """Digits of the widest operands, and words of each operand port."""
        return self.width // DIGIT

    @property
    def modes(self) -> tuple[str, ...]:
        widths = [self.width >> halvings for halvings in range(self.digits.bit_length())]
        return tuple(f"{a}x{w}" for a in widths for w in widths if w <= a)

    @property
    def mode(self) -> str:
        """The mode that it is in, bits of activations x bits of weights."""
        return f"{self.activation_port.width}x{self.weight_port.width}"

    @property
    def mode_code(self) -> int:
        """What port ``mode`` has in the mode that it is in: as many bits set as the width is halved."""
        return (self.rows - 1) << self.digits.bit_length() - 1 | self.columns - 1

    def in_mode(self, mode: str) -> Multi:
        if mode not in self.modes:
            raise unknown(f"mode of {self}", mode, self.modes)
        activation, weight = map(int, mode.split("x"))
        return replace(
            self,
            weight_port=_narrowed(self.weight_port, weight),
            activation_port=_narrowed(self.activation_port, activation),
        )

    @property
    def _widest(self) -> tuple[Operand, Operand]:
        return _narrowed(self.weight_port, self.width), _narrowed(self.activation_port, self.width)

    @property
    def largest_product(self) -> int:
        """The largest magnitude of one product in any mode."""
        weight, activation = self._widest
        return weight.largest * activation.largest

    @property
    def cycle_bits(self) -> int:
        """Bits, with a sign, of the sum of a cycle's products, which no mode makes wider than one widest product."""
        return self.largest_product.bit_length() + 1

    @property
    def sign_correction(self) -> int:
        """What is added to the sum of all blocks in the mode, where products of sign bits are inverted."""
        (w_unit, w_sign), (a_unit, a_sign) = (self._digits(port) for port in (self.weight_port, self.activation_port))
        inverted = 2 * w_sign[:, np.newaxis] + 2 * a_sign + 4 * (w_sign[:, np.newaxis] ^ a_sign)
        return -int(w_unit @ inverted @ a_unit)

    def _digits(self, port: Operand) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What each digit of a word of ``port`` counts, and whether its upper bit is a sign."""
        place = np.arange(self.digits) % (port.width // DIGIT)
        return 1 << DIGIT * place, ((place == port.width // DIGIT - 1) & port.signed).astype(np.int64)

    @property
    def tile(self) -> Tile:
        return Tile(k=self.rows * self.columns)

    @property
    def rows(self) -> int:
        """Weights in a word of the weight port."""
        return self.width // self.weight_port.width

    @property
    def columns(self) -> int:
        """Activations in a word of the activation port."""
        return self.width // self.activation_port.width

    @property
    def latency_cycles(self) -> int:
        return self.stages

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.bits(self.largest_product)

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        weights, activations = matrices(weights, activations)
        terms = weights.shape[1]
        self.accumulator.check(terms)
        a, w = self.activation_port.integers(activations), self.weight_port.integers(weights)
        largest = max(terms, 1) * self.largest_product
        sums = exact_sums(a, w, largest)
        if self.accumulator.kind == "saturate":
            limit = 1 << self.accumulator_bits - 1
            if (exact_sums(abs(a), abs(w), largest) >= limit).any():
                tiles = (slice(start, start + self.tile.k) for start in range(0, terms, self.tile.k))
                of_tiles = (exact_sums(a[:, tile], w[:, tile], largest) for tile in tiles)
                sums = saturating_accumulation(of_tiles, self.accumulator_bits)
        return wrap(sums, self.accumulator_bits)

    @property
    def ports(self) -> dict[str, int]:
        bits = self.width * self.digits
        return {"weight": bits, "activation": bits, "mode": 2 * (self.digits.bit_length() - 1)}

    @property
    def meanings(self) -> dict[str, str]:
        return {**super().meanings, "mode": "a bit per halving, activations low, weights high"}

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        codes = plain(weights)
        lanes = (
            codes.reshape(len(codes), -1, self.rows, self.columns).swapaxes(2, 3).reshape(len(codes), -1, self.tile.k)
        )
        beats = pack(lanes, self.weight_port.width)
        return {"weight": beats, "mode": np.full(beats.shape, self.mode_code, np.uint64)}

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        codes = plain(activations)
        return {"activation": pack(codes.reshape(len(codes), -1, self.tile.k), self.activation_port.width)}

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        return np.asarray(signed(codes, self.accumulator_bits).astype(float))

    def bill(self, operands: str) -> Bill:
        return multi_bill(self, operands)


def _narrowed(port: Operand, width: int) -> Operand:
    assert isinstance(port.format, Integer)
    return Operand(replace(port.format, width=width))


WIDTHS = (4, 8, 16)
MAX_STAGES = 8
