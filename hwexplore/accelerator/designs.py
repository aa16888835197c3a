"""Designs as columns: what each parameter may be, and which value each design takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import DATAFLOWS
from hwexplore.errors import InputError, unknown
from hwexplore.pe import PE
from hwexplore.workloads import Policy

__all__ = ["COUNTS", "MAX_NUMBER", "NUMERIC", "PARAMETERS", "Choices", "checked"]

PARAMETERS = {
    "pe": "processing element, as in mac(int8, int8, acc=int32)",
    "rows": "rows of the PE array",
    "cols": "columns of the PE array",
    "dataflow": "stationary operand: " + ", ".join(DATAFLOWS),
    "clock_mhz": "clock in MHz; 'max' runs as fast as the PE can",
    "voltage": "supply of the logic in V",
    "vector_lanes": "FP16 lanes of the vector unit",
    "sram_kib": "on-chip buffer in KiB",
    "dram": "kind of DRAM",
    "channels": "DRAM channels (stacks, for HBM)",
    "policy": "formats of weights/activations/KV cache",
}
COUNTS = ("rows", "cols", "vector_lanes", "channels")
"""The parameters that are whole numbers."""
NUMERIC = (*COUNTS, "voltage", "sram_kib")
"""The parameters that are numbers; so is the clock, unless it is "max"."""
MAX_NUMBER = 2**31
"""Bound of every numeric parameter, exclusive."""


@dataclass(frozen=True)
class Choices:
    """The values that each parameter of a design can take; a design is one index per parameter.

    Texts are parsed and everything is checked on construction; InputError names what is wrong.
    """

    values: Mapping[str, tuple[Any, ...]]

    def __init__(self, values: Mapping[str, Sequence[Any]]) -> None:
        for name in values:
            if name not in PARAMETERS:
                raise unknown("parameter", name, PARAMETERS)
        for name in PARAMETERS:
            if name not in values:
                raise InputError(f"parameter {name} ({PARAMETERS[name]}) has no values")
            if not len(values[name]):
                raise InputError(f"parameter {name} has an empty list of values: the space holds no design")
        columns = {name: tuple(checked(name, value) for value in values[name]) for name in PARAMETERS}
        for name, column in columns.items():
            if len(set(map(str, column))) < len(column):
                raise InputError(f"parameter {name} lists a value twice: {', '.join(map(str, column))}")
        object.__setattr__(self, "values", columns)

    @property
    def dataflows(self) -> NDArray[np.intp]:
        """The dataflows as indices into ``DATAFLOWS``."""
        return np.array([DATAFLOWS.index(dataflow) for dataflow in self.values["dataflow"]], np.intp)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The values of a numeric parameter as an array."""
        return np.array(self.values[name], float)


def checked(name: str, value: Any) -> Any:
    """One value of a parameter, texts of PEs and policies parsed; InputError names what is wrong."""
    if name == "pe":
        return value if isinstance(value, PE) else PE.parse(str(value))
    if name == "policy":
        return value if isinstance(value, Policy) else Policy.parse(str(value))
    if name == "dataflow":
        if value not in DATAFLOWS:
            raise unknown("dataflow", value, DATAFLOWS)
        return value
    if name == "dram":
        if not isinstance(value, str):
            raise InputError(f"dram = {value!r} must be the name of a DRAM, such as 'hbm2'")
        return str(value)
    if name == "clock_mhz" and value == "max":
        return value
    number_type = "a whole number" if name in COUNTS else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} = {value!r} must be {number_type}")
    if not 0 < value < MAX_NUMBER:
        raise InputError(f"{name} = {value} must be positive and below 2**31")
    if name in COUNTS and value != int(value):
        raise InputError(f"{name} = {value} must be a whole number")
    return int(value) if value == int(value) else float(value)
