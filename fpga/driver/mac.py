"""A PE of family ``mac`` as the board needs it: how its operands look, and what its sums mean."""

from __future__ import annotations

from dataclasses import dataclass

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.mac_operands import MacOperands
from hwexplore.pe.operand import Operand
from hwexplore.pe.tile import Tile

__all__ = ["BoardMac"]


@dataclass(frozen=True, kw_only=True)
class BoardMac(MacOperands):
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
    def outputs(self) -> dict[str, int]:
        """Bits of each output."""
        return {"accumulator": self.accumulator_bits}
