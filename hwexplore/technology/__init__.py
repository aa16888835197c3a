"""What hardware costs: priced primitives, SRAM, DRAM; every figure with its source and its uncertainty."""

from hwexplore.technology.bill import PRIMITIVES, Bill, Item, Stage
from hwexplore.technology.coefficients import Coefficient, coefficients
from hwexplore.technology.interval import Interval
from hwexplore.technology.memory import Dram, Sram, SramLaw
from hwexplore.technology.technology import DRAWS, Price, Primitive, Technology, VectorUnit, load, names

__all__ = [
    "DRAWS",
    "PRIMITIVES",
    "Bill",
    "Coefficient",
    "Dram",
    "Interval",
    "Item",
    "Price",
    "Primitive",
    "Sram",
    "SramLaw",
    "Stage",
    "Technology",
    "VectorUnit",
    "coefficients",
    "load",
    "names",
]
