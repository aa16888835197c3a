"""Processing elements: description, golden arithmetic, bill of hardware."""

from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.base import PE
from hwexplore.pe.bit_serial import BitSerial
from hwexplore.pe.cost import Cost
from hwexplore.pe.dot import Dot
from hwexplore.pe.lut import Lut
from hwexplore.pe.mac import Mac
from hwexplore.pe.multi import Multi
from hwexplore.pe.shift_add import ShiftAdd

__all__ = ["PE", "Accumulator", "BitSerial", "Cost", "Dot", "Lut", "Mac", "Multi", "ShiftAdd"]
