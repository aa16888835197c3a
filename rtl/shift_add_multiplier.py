"""Products by shift and add."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Value

from hwexplore.rtl.fixed_multiplier import FixedMultiplier
from hwexplore.rtl.floating_multiplier import FloatingMultiplier

__all__ = ["FixedShiftAddMultiplier", "FloatingShiftAddMultiplier"]


class FixedShiftAddMultiplier(FixedMultiplier):
    """A `FixedMultiplier` that adds a shifted copy of the activation for every bit of the weight's significand."""

    def multiply(self, weight: Value, activation: Value) -> Value:
        return _shift_add(weight, activation)


class FloatingShiftAddMultiplier(FloatingMultiplier):
    """A `FloatingMultiplier` that adds a shifted copy of the activation for every bit of the weight's significand."""

    def multiply(self, weight: Value, activation: Value) -> Value:
        return _shift_add(weight, activation)


def _shift_add(weight: Value, activation: Value) -> Value:
    *copies, top = (Mux(bit, activation, 0) << place for place, bit in enumerate(weight))
    lower = sum(copies, start=Const(0))
    return lower - top if weight.shape().signed else lower + top
