"""What hardware costs: priced primitives, SRAM, DRAM; every figure with its source and its uncertainty."""

from hwexplore.technology.bill import PRIMITIVES, Bill, Item, Stage
from hwexplore.technology.catalog import load, names
from hwexplore.technology.coefficients import Coefficient, coefficients, device_coefficients
from hwexplore.technology.interval import Interval
from hwexplore.technology.memory import Dram, Sram, SramLaw
from hwexplore.technology.scaling import Scaling
from hwexplore.technology.technology import DRAWS, FACTORS, Glitches, Price, Primitive, Sizing, Technology, VectorUnit

__all__ = [
    "DRAWS",
    "FACTORS",
    "PRIMITIVES",
    "Bill",
    "Coefficient",
    "Dram",
    "Glitches",
    "Interval",
    "Item",
    "Price",
    "Primitive",
    "Scaling",
    "Sizing",
    "Sram",
    "SramLaw",
    "Stage",
    "Technology",
    "VectorUnit",
    "coefficients",
    "device_coefficients",
    "load",
    "names",
]
