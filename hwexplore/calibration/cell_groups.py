"""What the Liberty group of a cell says of it: its pins, their functions, its leakage."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hwexplore.calibration.boolean import evaluate
from hwexplore.calibration.liberty import Group, Library

__all__ = ["inputs_of", "leakage_uw", "outputs_of", "truth_table"]


def inputs_of(cell: Group) -> list[Group]:
    """The input pins of a cell."""
    return _pins(cell, "input")


def outputs_of(cell: Group) -> list[Group]:
    """The output pins of a cell."""
    return _pins(cell, "output")


def _pins(cell: Group, direction: str) -> list[Group]:
    return [pin for pin in cell.all("pin") if pin.text("direction", "") == direction]


def truth_table(function: str, pins: Sequence[str]) -> tuple[bool, ...]:
    """The value of a function for each combination of ``pins``, the first one slowest."""
    rows = product((False, True), repeat=len(pins))
    return tuple(evaluate(function, dict(zip(pins, row, strict=True))) for row in rows)


def leakage_uw(library: Library, cell: Group) -> float:
    """Leakage of a cell, mean over its states; groups of one state are supply rails, and add up."""
    states = cell.all("leakage_power")
    if not states:
        return cell.number("cell_leakage_power") * library.leakage_uw
    total = sum(state.number("value") for state in states)
    return total / len({state.text("when", "") for state in states}) * library.leakage_uw
