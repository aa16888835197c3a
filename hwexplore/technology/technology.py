"""Technologies: the priced primitives of a process node, its memories, and how well each figure is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import tomllib
from numpy.typing import ArrayLike

from hwexplore.errors import InputError, unknown
from hwexplore.technology.bill import PRIMITIVES, Bill, Stage
from hwexplore.technology.interval import Interval
from hwexplore.technology.memory import Dram, Sram, SramLaw
from hwexplore.technology.voltage import VoltageLaw

__all__ = ["DRAWS", "Price", "Primitive", "Technology", "VectorUnit", "load", "names"]

DRAWS = 200
"""Joint draws of the coefficients behind every interval."""


@dataclass(frozen=True)
class Primitive:
    """One hardware primitive at the technology's nominal voltage and temperature.

    ``energy_pj`` is per output transition, load included; ``clock_pj`` per clock cycle (flip-flops only);
    ``carry_delay_ps`` the carry-in to carry-out arc (full adders only); ``setup_ps`` flip-flops only.
    """

    area_um2: float
    energy_pj: float
    delay_ps: float
    leakage_uw: float
    source: str
    cell: str = ""
    carry_delay_ps: float = 0.0
    setup_ps: float = 0.0
    clock_pj: float = 0.0

    def scaled(self, *, energy: float, delay: float, leakage: float, area: float = 1.0) -> Primitive:
        """The primitive with its areas, energies, delays and leakage multiplied."""
        return replace(
            self,
            area_um2=self.area_um2 * area,
            energy_pj=self.energy_pj * energy,
            clock_pj=self.clock_pj * energy,
            delay_ps=self.delay_ps * delay,
            carry_delay_ps=self.carry_delay_ps * delay,
            setup_ps=self.setup_ps * delay,
            leakage_uw=self.leakage_uw * leakage,
        )


@dataclass(frozen=True)
class VectorUnit:
    """One lane of the vector unit: an FP16 multiplier and adder, one operation (or one multiply-add) a cycle."""

    area_um2: float
    energy_pj: float
    leakage_uw: float
    source: str


@dataclass(frozen=True)
class Price:
    """A bill of hardware priced by one technology, at one setting of its coefficients.

    ``dynamic_pj`` and ``clock_pj`` are per cycle in which the circuit works; ``delay_ps`` is the critical path,
    clock-to-output and setup included.
    """

    area_um2: float
    dynamic_pj: float
    clock_pj: float
    leakage_uw: float
    delay_ps: float


@dataclass(frozen=True)
class Technology:
    """A process node: coefficients, their sources, and their log-normal spreads by named factor."""

    name: str
    description: str
    node_nm: float
    voltage: float
    temperature_c: float
    primitives: Mapping[str, Primitive]
    sram_law: SramLaw
    drams: Mapping[str, Dram]
    vector_unit: VectorUnit
    voltage_law: VoltageLaw
    spread: Mapping[str, float]
    spread_sources: Mapping[str, str]
    sources: Mapping[str, str]

    def price(self, bill: Bill) -> Price:
        """Area, energy per cycle, leakage and critical path of ``bill``."""
        area = dynamic = clock = leakage = 0.0
        for item in bill:
            primitive = self.primitives[item.primitive]
            area += item.count * primitive.area_um2
            dynamic += item.count * item.activity * primitive.energy_pj
            clock += item.count * primitive.clock_pj
            leakage += item.count * primitive.leakage_uw
        return Price(area, dynamic, clock, leakage, self.delay_ps(self.critical_path(bill)))

    def critical_path(self, bill: Bill) -> tuple[Stage, ...]:
        """The slowest of the bill's paths."""
        return max(bill.paths, key=self.delay_ps, default=())

    def delay_ps(self, path: tuple[Stage, ...]) -> float:
        """Delay of a path from register to register, clock-to-output and setup included."""
        flip_flop = self.primitives["flip_flop"]
        delay = flip_flop.delay_ps + flip_flop.setup_ps
        for stage in path:
            primitive = self.primitives[stage.primitive]
            delay += stage.count * (primitive.carry_delay_ps if stage.carry else primitive.delay_ps)
        return delay

    def sram(self, size_bytes: ArrayLike, word_bits: ArrayLike) -> Sram:
        """The SRAM macro of ``size_bytes`` and ``word_bits`` (both broadcast); outside the fitted range InputError."""
        self.sram_law.check(size_bytes, word_bits)

        def quantity(name: str) -> Interval:
            return self.interval(lambda technology: technology.sram_law(name, size_bytes, word_bits))

        return Sram(**{field.name: quantity(field.name) for field in fields(Sram)})

    def dram(self, name: str) -> Dram:
        """The DRAM kind called ``name``."""
        if name not in self.drams:
            raise unknown("DRAM", name, self.drams)
        return self.drams[name]

    def at(self, voltage: float) -> Technology:
        """This technology with its logic at another supply voltage; memories keep their own supply."""
        law = self.voltage_law
        law.check(voltage)
        base = self.voltage
        delay = law.delay_factor(voltage) / law.delay_factor(base)
        energy = law.energy_factor(voltage) / law.energy_factor(base)
        leakage = law.leakage_factor(voltage) / law.leakage_factor(base)
        unit = self.vector_unit
        return replace(
            self,
            voltage=voltage,
            primitives={
                name: p.scaled(energy=energy, delay=delay, leakage=leakage) for name, p in self.primitives.items()
            },
            vector_unit=replace(unit, energy_pj=unit.energy_pj * energy, leakage_uw=unit.leakage_uw * leakage),
        )

    def interval(self, quantity: Callable[[Technology], ArrayLike]) -> Interval:
        """``quantity`` of this technology, with the interval that its joint draws give."""
        return Interval.of(quantity(self), [quantity(drawn) for drawn in self.draws])

    @cached_property
    def draws(self) -> tuple[Technology, ...]:
        """``DRAWS`` copies of this technology with jointly drawn coefficients (fixed seed)."""
        rng = np.random.default_rng(0)
        sigma = np.array(list(self.spread.values()))
        multipliers = np.exp(sigma * rng.standard_normal((DRAWS, len(sigma))))
        return tuple(self._scaled(dict(zip(self.spread, row, strict=True))) for row in multipliers.tolist())

    def _scaled(self, factor: Mapping[str, float]) -> Technology:
        def scaled(name: str, primitive: Primitive) -> Primitive:
            kind = "register" if name == "flip_flop" else "logic"
            area, energy = factor[f"{kind}_area"], factor[f"{kind}_energy"]
            return primitive.scaled(area=area, energy=energy, delay=factor["delay"], leakage=factor["leakage"])

        sram_factor = {
            "area_um2": factor["sram_area"],
            "read_pj": factor["sram_energy"],
            "write_pj": factor["sram_energy"],
            "leakage_mw": factor["leakage"],
            "access_ns": factor["delay"],
        }
        return replace(
            self,
            primitives={name: scaled(name, primitive) for name, primitive in self.primitives.items()},
            sram_law=replace(
                self.sram_law,
                anchor={name: value * sram_factor[name] for name, value in self.sram_law.anchor.items()},
            ),
            drams={
                name: replace(
                    dram,
                    energy_pj_per_bit=dram.energy_pj_per_bit * factor["dram_energy"],
                    area_mm2=dram.area_mm2 * factor["dram_area"],
                    static_w=dram.static_w * factor["dram_static"],
                )
                for name, dram in self.drams.items()
            },
            vector_unit=replace(
                self.vector_unit,
                area_um2=self.vector_unit.area_um2 * factor["vector_area"],
                energy_pj=self.vector_unit.energy_pj * factor["vector_energy"],
                leakage_uw=self.vector_unit.leakage_uw * factor["leakage"],
            ),
        )


def names() -> list[str]:
    """The technologies that ship with hwexplore."""
    folder = files("hwexplore.models") / "technologies"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def load(name: str) -> Technology:
    """The technology called ``name``; every coefficient carries its source."""
    if name not in names():
        raise unknown("technology", name, names())
    text = (files("hwexplore.models") / "technologies" / f"{name}.toml").read_text("utf-8")
    return _from_table(tomllib.loads(text))


def _from_table(table: Mapping[str, Any]) -> Technology:
    primitives = {name: Primitive(**record) for name, record in table["primitives"].items()}
    missing = [name for name in PRIMITIVES if name not in primitives]
    if missing:
        raise InputError(f"technology {table['name']} prices no {', '.join(missing)}")
    sram = table["sram"]
    quantities = [field.name for field in fields(Sram)]
    return Technology(
        name=table["name"],
        description=table["description"],
        node_nm=table["node_nm"],
        voltage=table["voltage"],
        temperature_c=table["temperature_c"],
        primitives=primitives,
        sram_law=SramLaw(
            coefficients={quantity: tuple(sram[f"log2_{quantity}"]) for quantity in quantities},
            size_bytes=tuple(sram["size_bytes"]),
            word_bits=tuple(sram["word_bits"]),
            residual=sram["residual"],
            source=sram["source"],
            anchor={quantity: sram["anchor"][quantity] for quantity in quantities},
            anchor_source=sram["anchor"]["source"],
        ),
        drams={name: Dram(name=name, **record) for name, record in table["dram"].items()},
        vector_unit=VectorUnit(**table["vector_unit"]),
        voltage_law=VoltageLaw(**table["voltage_law"]),
        spread={name: record["sigma"] for name, record in table["spread"].items()},
        spread_sources={name: record["source"] for name, record in table["spread"].items()},
        sources=table["sources"],
    )
