"""What memories cost: a law for on-chip SRAM, a record for each kind of DRAM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError
from hwexplore.technology.interval import Interval
from hwexplore.technology.scaling import Scaling

__all__ = ["Dram", "Sram", "SramLaw"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SramLaw:
    """SRAM macros of one technology: log2 of each quantity is a polynomial in log2 of size_bytes, s, and word_bits, w.

    Coefficients are those of 1, s, s^2, w, s*w; ``anchor`` multiplies the polynomial by what real macros take more than
    the sweep it was fitted to; ``scalings`` are the steps from the law that was fitted, none for that one itself.
    Leakage holds at ``temperature_c``. All methods broadcast ``size_bytes`` and ``word_bits``.
    """

    coefficients: dict[str, tuple[float, ...]]
    size_bytes: tuple[float, float]
    word_bits: tuple[float, float]
    residual: dict[str, dict[str, float]]
    source: str
    anchor: Mapping[str, float] = field(default_factory=lambda: defaultdict(lambda: 1.0))
    anchor_source: str = ""
    name: str = ""
    temperature_c: float = 25
    scalings: tuple[Scaling, ...] = ()

    def scaled(self, *, area: float, energy: float, delay: float, leakage: float) -> SramLaw:
        """The law with its areas, energies per access, access times and leakage multiplied."""
        factor = {"area_um2": area, "read_pj": energy, "write_pj": energy, "leakage_mw": leakage, "access_ns": delay}
        return replace(self, anchor={quantity: value * factor[quantity] for quantity, value in self.anchor.items()})

    def check(self, size_bytes: ArrayLike, word_bits: ArrayLike) -> None:
        """Raise InputError where a macro is outside the range that the law was fitted on."""
        for name, value, (low, high) in (
            ("size_bytes", np.asarray(size_bytes, float), self.size_bytes),
            ("word_bits", np.asarray(word_bits, float), self.word_bits),
        ):
            outside = ~((value >= low) & (value <= high))
            if outside.any():
                raise InputError(
                    f"SRAM {name} = {value[outside].flat[0]:g} is outside the fitted range {low:g} to {high:g}"
                )

    def __call__(self, quantity: str, size_bytes: ArrayLike, word_bits: ArrayLike) -> Array:
        """``quantity`` (read_pj, write_pj, leakage_mw, area_um2, access_ns) of a macro, unchecked."""
        s, w = np.log2(np.asarray(size_bytes, float)), np.log2(np.asarray(word_bits, float))
        one, size, size2, word, cross = self.coefficients[quantity]
        return np.asarray(self.anchor[quantity] * np.exp2(one + size * s + size2 * s**2 + word * w + cross * s * w))


@dataclass(frozen=True)
class Sram:
    """One SRAM macro (arrays of macros where size or word width are arrays)."""

    area_um2: Interval
    read_pj: Interval
    write_pj: Interval
    leakage_mw: Interval
    access_ns: Interval


@dataclass(frozen=True)
class Dram:
    """One DRAM channel (or stack) with the interface it needs on the chip.

    Energies are per bit read or written, ``area_mm2`` is the PHY on our die, ``static_w`` the background and refresh
    power of the devices behind the channel. ``uncertainty`` says how many of the common spreads its figures deserve:
    more than 1 where they are derived or recalled instead of measured.
    """

    name: str
    bandwidth_bytes_per_s: float
    capacity_bytes: float
    energy_pj_per_bit: float
    area_mm2: float
    static_w: float
    uncertainty: float
    sources: Mapping[str, str]

    def scaled(self, *, energy: float, area: float, static: float) -> Dram:
        """The DRAM with its figures multiplied by the factors of the common spreads, as often as its uncertainty."""
        return replace(
            self,
            energy_pj_per_bit=self.energy_pj_per_bit * energy**self.uncertainty,
            area_mm2=self.area_mm2 * area**self.uncertainty,
            static_w=self.static_w * static**self.uncertainty,
        )
