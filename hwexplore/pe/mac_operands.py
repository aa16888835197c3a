"""What operands and sums of family ``mac`` look like; it takes no technology, so that boards can have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwexplore.formats import Encoded
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arithmetic import signed
from hwexplore.pe.codes import Codes, plain
from hwexplore.pe.operand import Operand

__all__ = ["MacOperands"]


class MacOperands:
    """The ports of `hwexplore.pe.mac.Mac`, and what its sums mean."""

    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator

    @property
    def largest_product(self) -> int:
        """The largest magnitude of one product, in steps."""
        return self.weight_port.largest * self.activation_port.largest

    @property
    def accumulator_bits(self) -> int:
        """Width of one sum."""
        return self.accumulator.bits(self.largest_product)

    @property
    def ports(self) -> dict[str, int]:
        """Bits of each operand input."""
        return {"weight": self.weight_port.format.element_bits, "activation": self.activation_port.format.element_bits}

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
