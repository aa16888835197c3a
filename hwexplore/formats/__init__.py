"""Number formats: what a bit pattern means.

Integers, minifloats, and elements that share scales (OCP MX, NVFP4, weight groups). Only NumPy is needed.
"""

from __future__ import annotations

from hwexplore.formats.base import Format
from hwexplore.formats.integer import Integer
from hwexplore.formats.minifloat import Minifloat
from hwexplore.formats.notation import catalog
from hwexplore.formats.scaled import Encoded, Scaled

__all__ = ["Encoded", "Format", "Integer", "Minifloat", "Scaled", "catalog"]
