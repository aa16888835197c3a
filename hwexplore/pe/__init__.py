"""Processing elements: description, golden arithmetic, bill of hardware."""

from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.base import PE
from hwexplore.pe.cost import Cost
from hwexplore.pe.mac import Mac

__all__ = ["PE", "Accumulator", "Cost", "Mac"]
