"""Supply voltage: how delay, energy and leakage of logic follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwexplore.errors import InputError

__all__ = ["VoltageLaw"]


@dataclass(frozen=True)
class VoltageLaw:
    """Polynomials in the supply voltage for an inverter's delay and energy; logic scales by their ratios to nominal.

    ``delay_ps`` and ``energy_fj`` hold the coefficients of V^0, V^1, ... over ``volts``, the range of validity; where
    ``delay_until`` is given, delay follows its polynomial only up to there and falls linearly to ``nominal_delay_ps``
    at the highest voltage. Leakage power is taken as proportional to the voltage, its least dependence.
    """

    volts: tuple[float, float]
    delay_ps: Sequence[float]
    energy_fj: Sequence[float]
    source: str
    delay_until: float | None = None
    nominal_delay_ps: float | None = None

    def check(self, volts: float) -> None:
        """Raise InputError outside the range of validity."""
        if not self.volts[0] <= volts <= self.volts[1]:
            raise InputError(
                f"voltage = {volts:g} V is outside the law's range of {self.volts[0]:g} to {self.volts[1]:g} V"
            )

    def delay_factor(self, volts: float) -> float:
        """Delay at ``volts`` over delay at the highest voltage."""
        delay = np.polynomial.Polynomial(self.delay_ps)
        if self.delay_until is None or self.nominal_delay_ps is None:
            return float(delay(volts) / delay(self.volts[1]))
        turn = float(delay(min(volts, self.delay_until)))
        ends = turn, self.nominal_delay_ps
        return float(np.interp(volts, (self.delay_until, self.volts[1]), ends)) / self.nominal_delay_ps

    def energy_factor(self, volts: float) -> float:
        """Energy per transition at ``volts`` over that at the highest voltage."""
        energy = np.polynomial.Polynomial(self.energy_fj)
        return float(energy(volts) / energy(self.volts[1]))

    def leakage_factor(self, volts: float) -> float:
        """Leakage power at ``volts`` over that at the highest voltage."""
        return volts / self.volts[1]
