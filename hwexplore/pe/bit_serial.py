"""Family ``bit_serial``: dot products of integers, one bit plane of each operand at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.base import PE, Tile
from hwexplore.pe.bit_serial_circuit import bit_serial_bill
from hwexplore.pe.codes import Codes, pack, plain
from hwexplore.pe.mac import Mac
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["BitSerial"]


@dataclass(frozen=True)
class BitSerial(PE):
    """A unit that multiplies ``lanes`` pairs of integers bit by bit, and adds the products to one accumulator.

    Each cycle takes a bit plane of the weights and one of the activations, as they are in the codes: for each plane of
    the weights, lowest first, all planes of the activations, lowest first. It sums the products of the lanes' bits,
    shifts the sum for planes i and j by i + j places and adds it to the accumulator. The sum is

    - for bits that stand for 0 and 1, the ones of ``w & a``
    - for bipolar integers, whose bits stand for -1 and 1, twice the ones of ``w ~^ a``, less the number of lanes
    - where one operand is bipolar, twice the ones of ``w & a``, less the ones of the other operand's plane

    and it is subtracted if just one of the planes has the signs of two's complement. Bipolar integers have no zero:
    what they add where they fill up the last tile is not in the golden model's sums, and to be subtracted outside.

    ``stages`` is the pipeline depth; the accumulator's loop has the last stage, and no other if there are more.

    Sources: Stripes (MICRO 2016) and Loom (DAC 2018) for bit-serial integers, APT-LLM for bipolar ones.
    """

    family: ClassVar[str] = "bit_serial"
    options: ClassVar[tuple[str, ...]] = ("lanes", "acc", "stages")

    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator
    lanes: int = 32
    stages: int = 1

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> BitSerial:
        weight, activation = (Operand.parse(name, arguments.text) for name in arguments.operands)
        accumulator = Accumulator.parse(arguments.options.get("acc", "int32"))
        lanes = arguments.whole("lanes", 32, 1, MAX_LANES)
        return cls(weight, activation, accumulator, lanes, arguments.whole("stages", 1, 1, MAX_STAGES))

    def __post_init__(self) -> None:
        for format in (self.weight, self.activation):
            if not isinstance(format, Integer) or format.width > MAX_WIDTH:
                raise InputError(f"operand {format}: bit_serial takes integers of 1 to {MAX_WIDTH} bits")
        if self.accumulator.kind in ("float", "saturate"):
            raise InputError(
                f"accumulator {self.accumulator} would round or clip parts of products; "
                "bit_serial takes accumulators that wrap, such as int32, and exact(n)"
            )
        if self.accumulator.kind == "exact" and self.accumulator.size < self.lanes:
            raise InputError(
                f"accumulator {self.accumulator} holds fewer products than a tile of {self.lanes} lanes; "
                f"bit_serial takes exact({self.lanes}) or more"
            )
        _ = self.mac

    def __str__(self) -> str:
        stages = f", stages={self.stages}" if self.stages > 1 else ""
        return f"bit_serial({self.weight}, {self.activation}, lanes={self.lanes}, acc={self.accumulator}{stages})"

    @cached_property
    def mac(self) -> Mac:
        """The unit that forms the same sums from whole products."""
        return Mac(self.weight_port, self.activation_port, self.accumulator)

    @property
    def bipolar(self) -> tuple[bool, bool]:
        """Whether the bits of weights and of activations stand for -1 and 1."""
        return _is_bipolar(self.weight), _is_bipolar(self.activation)

    @property
    def sign_planes(self) -> tuple[bool, bool]:
        """Whether the highest planes of weights and of activations count negative, as in two's complement."""
        weight, activation = self.bipolar
        return self.weight_port.signed and not weight, self.activation_port.signed and not activation

    @property
    def tile(self) -> Tile:
        return Tile(k=self.lanes, cycles=self.weight.element_bits * self.activation.element_bits)

    @property
    def passes(self) -> tuple[int, int]:
        return self.weight.element_bits, self.activation.element_bits

    @property
    def latency_cycles(self) -> int:
        return self.stages

    @property
    def accumulator_bits(self) -> int:
        return self.mac.accumulator_bits

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        return self.mac.golden(weights, activations)

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        return self.mac.decode(codes)

    @property
    def ports(self) -> dict[str, int]:
        return {"weight": self.lanes, "activation": self.lanes}

    @property
    def meanings(self) -> dict[str, str]:
        planes = {name: f"a bit plane of {self.lanes} {getattr(self, name)}, the first lowest" for name in self.ports}
        return {**super().meanings, **planes}

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        planes = self._planes(plain(weights), self.weight)
        return {"weight": np.repeat(planes, self.activation.element_bits, axis=2).reshape(len(planes), -1)}

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        planes = self._planes(plain(activations), self.activation)
        return {"activation": np.tile(planes, self.weight.element_bits).reshape(len(planes), -1)}

    def _planes(self, codes: Codes, format: Format) -> Codes:
        """The bits of the lanes in one word for each plane: [row, tile, plane]."""
        bits = codes[..., np.newaxis] >> np.arange(format.element_bits, dtype=codes.dtype) & 1
        return pack(bits.reshape(len(codes), -1, self.lanes, format.element_bits).swapaxes(2, 3), 1)

    def bill(self, operands: str) -> Bill:
        return bit_serial_bill(self, operands)


def _is_bipolar(format: Format) -> bool:
    return isinstance(format, Integer) and format.coding == "bipolar"


MAX_WIDTH = 8
MAX_LANES = 256
MAX_STAGES = 8
