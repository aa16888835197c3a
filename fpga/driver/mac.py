"""A PE of family ``mac`` as the board needs it: how its operands look, and what its sums mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import signed
from hwexplore.pe.codes import Codes, plain
from hwexplore.pe.operand import Operand
from hwexplore.pe.tile import Tile

__all__ = ["BoardMac"]


@dataclass(frozen=True, kw_only=True)
class BoardMac:
    """`hwexplore.pe.Mac` without its hardware."""

    text: str
    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator

    @classmethod
    def parse(cls, text: str) -> BoardMac:
        """The PE of this text; InputError if it is of another family."""
        if not text.startswith("mac("):
            raise InputError(f"PE {text}: the driver packs operands of family mac; use hwexplore.accelerator.streams")
        arguments = Arguments.parse(text, {"mac": ("acc", "stages")})
        weight, activation = (Operand.parse(name, text) for name in arguments.operands)
        accumulator = Accumulator.parse(arguments.options.get("acc", "int32"))
        return cls(text=text, weight_port=weight, activation_port=activation, accumulator=accumulator)

    def __str__(self) -> str:
        return self.text

    @property
    def weight(self) -> Format:
        """Format of the weights."""
        return self.weight_port.format

    @property
    def activation(self) -> Format:
        """Format of the activations."""
        return self.activation_port.format

    @property
    def tile(self) -> Tile:
        """One product at a time."""
        return Tile()

    @property
    def accumulator_bits(self) -> int:
        """Width of one sum."""
        return self.accumulator.bits(self.weight_port.largest * self.activation_port.largest)

    @property
    def ports(self) -> dict[str, int]:
        """Bits of each operand input."""
        return {"weight": self.weight.element_bits, "activation": self.activation.element_bits}

    @property
    def outputs(self) -> dict[str, int]:
        """Bits of each output."""
        return {"accumulator": self.accumulator_bits}

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        """Encoded weights [n, k] at their port."""
        return {"weight": plain(weights)}

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        """Encoded activations [m, k] at their port."""
        return {"activation": plain(activations)}

    @property
    def unit(self) -> float:
        """What a sum counts in: 1 if it is floating point, else the product of the operands' smallest steps."""
        if self.accumulator.format is not None:
            return 1.0
        return float(2.0 ** (self.weight_port.step_exponent + self.activation_port.step_exponent))

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        """The sums, in products of decoded operands, that accumulator codes stand for."""
        if self.accumulator.format is not None:
            return self.accumulator.format.decode(codes)
        return np.asarray(signed(codes, self.accumulator_bits).astype(float) * self.unit)
