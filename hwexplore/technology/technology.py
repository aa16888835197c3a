"""Technologies: the priced primitives of a process node, its memories, and how well each figure is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.technology.bill import LIVELINESS, Bill, Item, Stage, overlapped
from hwexplore.technology.interval import Interval
from hwexplore.technology.memory import Dram, Sram, SramLaw
from hwexplore.technology.scaling import Scaling
from hwexplore.technology.voltage import VoltageLaw

__all__ = ["DRAWS", "FACTORS", "Glitches", "Price", "Primitive", "Sizing", "Technology", "VectorUnit", "Wire"]

LATENESS = 0.75
"""Power of the depth with which glitches grow: the best of 0.35, 0.5, 0.75 and 1 for the PEs that were fitted."""

DRAWS = 200
"""Joint draws of the coefficients behind every interval."""

FACTORS = (
    *("logic_area", "register_area", "logic_energy", "register_energy", "delay", "leakage"),
    *("sram_area", "sram_energy", "sram_delay", "sram_leakage"),
    *("dram_energy", "dram_area", "dram_static"),
    *("vector_area", "vector_energy"),
    "wire_energy",
)
"""The named factors that carry the spreads; a draw has one of each, which all designs share."""


@dataclass(frozen=True)
class Primitive:
    """One hardware primitive at the technology's nominal voltage and temperature, in a netlist that has time.

    ``energy_pj`` is per output transition, load included;
    ``clock_pj`` per clock cycle (flip-flops only); ``carry_delay_ps`` the carry-in to carry-out arc (full adders only);
    ``setup_ps`` flip-flops only.
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

    def scaled(self, *, energy: float, leakage: float, area: float = 1.0) -> VectorUnit:
        """The lane with its area, energy and leakage multiplied."""
        return replace(
            self,
            area_um2=self.area_um2 * area,
            energy_pj=self.energy_pj * energy,
            leakage_uw=self.leakage_uw * leakage,
        )


@dataclass(frozen=True)
class Wire:
    """Wires with their repeaters: energy of a bit of random data moved over 1 mm is ``pj_per_bit_mm_v2`` x voltage^2.

    Capacitance per length hardly changes from node to node, so that all technologies share it.
    """

    pj_per_bit_mm_v2: float
    source: str


@dataclass(frozen=True)
class Sizing:
    """What speed costs a circuit whose structure stays: larger gates, buffers and restructured logic.

    At effort x its paths take 1 / (1 + x) of the time; the area of its logic grows by ``area`` x x, leakage with it,
    the energy by ``energy`` x x. ``most`` is the largest effort.
    """

    most: float
    area: float
    energy: float
    source: str


@dataclass(frozen=True)
class Glitches:
    """Transitions in vain: ``ratio`` x a^`LIVELINESS` x d^`LATENESS` of logic behind d primitives in series.

    Of its own activity a only the root: what stirs a circuit is the activity of all that is in front of it.
    """

    ratio: float
    source: str

    def of(self, item: Item) -> float:
        """Transitions in vain per primitive and cycle."""
        return float(self.ratio * item.unrest * item.activity**LIVELINESS * item.depth**LATENESS)


@dataclass(frozen=True)
class Price:
    """A bill of hardware priced by one technology, at one setting of its coefficients.

    ``dynamic_pj`` and ``clock_pj`` are per cycle in which the circuit works, ``glitch_pj`` is a part of the former;
    ``delay_ps`` is the critical path, clock-to-output and setup included.
    """

    area_um2: float
    dynamic_pj: float
    glitch_pj: float
    clock_pj: float
    leakage_uw: float
    delay_ps: float


@dataclass(frozen=True)
class Technology:
    """A process node: coefficients, their sources, and their log-normal spreads by named factor (``FACTORS``).

    All leakage, of logic and memories, holds at ``temperature_c``. Without a published ``voltage_law`` there is only
    the nominal voltage; ``scalings`` are the steps from the node that was measured, none for that one itself.
    """

    name: str
    description: str
    node_nm: float
    voltage: float
    temperature_c: float
    primitives: Mapping[str, Primitive]
    sram_law: SramLaw
    drams: Mapping[str, Dram]
    vector_unit: VectorUnit
    wire: Wire
    voltage_law: VoltageLaw | None
    sizing: Sizing
    glitches: Glitches
    spread: Mapping[str, float]
    spread_sources: Mapping[str, str]
    sources: Mapping[str, str]
    scalings: tuple[Scaling, ...] = ()

    def price(self, bill: Bill, effort: float = 0.0) -> Price:
        """Area, energy per cycle, leakage and critical path of ``bill``, its logic sized with this ``effort``.

        Of the ``drawn`` technology all are arrays [draw], as the efforts are.
        """
        area = dynamic = glitches = clock = leakage = 0.0
        sized_area, sized_energy = 1 + self.sizing.area * effort, 1 + self.sizing.energy * effort
        for item in bill:
            primitive = self.primitives[item.primitive]
            is_register = item.primitive == "flip_flop"
            larger = 1.0 if is_register else sized_area
            transition_pj = item.count * primitive.energy_pj * (1.0 if is_register else sized_energy)
            area += item.count * primitive.area_um2 * larger
            vain_pj = 0.0 if is_register else transition_pj * self.glitches.of(item)
            dynamic += transition_pj * item.activity + vain_pj
            glitches += vain_pj
            clock += item.count * primitive.clock_pj
            leakage += item.count * primitive.leakage_uw * larger
        return Price(area, dynamic, glitches, clock, leakage, self._relaxed_ps(bill) / (1 + effort))

    def effort(self, bill: Bill, period_ps: float | None) -> float:
        """The effort that brings ``bill`` to ``period_ps``, or the largest if none does; 0 without a period."""
        if period_ps is None:
            return 0.0
        slack = self._relaxed_ps(bill) / period_ps - 1 if period_ps else self.sizing.most
        effort: float = np.clip(slack, 0.0, self.sizing.most)[()]
        return effort

    def shortest_period_ps(self, bill: Bill) -> float:
        """The period of ``bill`` at the largest effort."""
        return self.price(bill, self.sizing.most).delay_ps

    def critical_path(self, bill: Bill) -> tuple[Stage, ...]:
        """The slowest of the bill's paths."""
        return max(bill.paths, key=self.delay_ps, default=())

    def _relaxed_ps(self, bill: Bill) -> float:
        slowest: float = np.max([self.delay_ps(path) for path in bill.paths or ((),)], axis=0)[()]
        return slowest

    def delay_ps(self, path: tuple[Stage, ...]) -> float:
        """Delay of a path from register to register, clock-to-output and setup included; see `overlapped`."""
        flip_flop = self.primitives["flip_flop"]
        delay = flip_flop.delay_ps + flip_flop.setup_ps
        for stage in overlapped(path):
            primitive = self.primitives[stage.primitive]
            delay += stage.count * (primitive.carry_delay_ps if stage.carry else primitive.delay_ps)
        return delay

    @property
    def wire_pj_per_bit_mm(self) -> float:
        """Energy of a bit of random data moved over 1 mm at this voltage."""
        return self.wire.pj_per_bit_mm_v2 * self.voltage**2

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
        base = self.voltage
        if law is None:
            if voltage != base:
                raise InputError(
                    f"voltage = {voltage:g} V: there is no published voltage law for {self.name}; "
                    f"accepted is its own {base:g} V"
                )
            return self
        law.check(voltage)
        delay = law.delay_factor(voltage) / law.delay_factor(base)
        energy = law.energy_factor(voltage) / law.energy_factor(base)
        leakage = law.leakage_factor(voltage) / law.leakage_factor(base)
        return replace(
            self,
            voltage=voltage,
            primitives={
                name: p.scaled(energy=energy, delay=delay, leakage=leakage) for name, p in self.primitives.items()
            },
            vector_unit=self.vector_unit.scaled(energy=energy, leakage=leakage),
        )

    def interval(self, quantity: Callable[[Technology], ArrayLike]) -> Interval:
        """``quantity`` of this technology, with the interval that its joint draws give."""
        return Interval.of(quantity(self), [quantity(drawn) for drawn in self.draws])

    @cached_property
    def draws(self) -> tuple[Technology, ...]:
        """``DRAWS`` copies of this technology with jointly drawn coefficients, seeded by the names of the factors."""
        columns = {name: values.tolist() for name, values in self._multipliers.items()}
        return tuple(self._drawn(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True))

    @cached_property
    def drawn(self) -> Technology:
        """The ``draws`` as one technology, of which every coefficient is an array [draw]; it prices single bills."""
        return self._drawn(self._multipliers)

    @cached_property
    def _multipliers(self) -> dict[str, NDArray[np.float64]]:
        return {
            factor: np.exp(sigma * np.random.default_rng(list(factor.encode())).standard_normal(DRAWS))
            for factor, sigma in self.spread.items()
        }

    def _drawn(self, factor: Mapping[str, Any]) -> Technology:
        delay, leakage = factor["delay"], factor["leakage"]

        def drawn(name: str, primitive: Primitive) -> Primitive:
            kind = "register" if name == "flip_flop" else "logic"
            area, energy = factor[f"{kind}_area"], factor[f"{kind}_energy"]
            return primitive.scaled(area=area, energy=energy, delay=delay, leakage=leakage)

        return replace(
            self,
            primitives={name: drawn(name, primitive) for name, primitive in self.primitives.items()},
            sram_law=self.sram_law.scaled(
                area=factor["sram_area"],
                energy=factor["sram_energy"],
                delay=factor["sram_delay"],
                leakage=factor["sram_leakage"],
            ),
            drams={
                name: dram.scaled(energy=factor["dram_energy"], area=factor["dram_area"], static=factor["dram_static"])
                for name, dram in self.drams.items()
            },
            vector_unit=self.vector_unit.scaled(
                area=factor["vector_area"], energy=factor["vector_energy"], leakage=leakage
            ),
            wire=replace(self.wire, pj_per_bit_mm_v2=self.wire.pj_per_bit_mm_v2 * factor["wire_energy"]),
        )
