"""The coefficients of a technology as a table, each with unit, spread and source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwexplore.technology.technology import Technology

__all__ = ["Coefficient", "coefficients"]


@dataclass(frozen=True)
class Coefficient:
    """One figure: ``spread`` is the named factor whose log-normal spread it shares, ``source`` where it comes from."""

    name: str
    value: float
    unit: str
    spread: str
    source: str


UNITS = {"um2": "um2", "pj": "pJ", "ps": "ps", "uw": "uW", "mw": "mW", "ns": "ns", "mm2": "mm2", "w": "W"}


def coefficients(technology: Technology) -> Iterator[Coefficient]:
    """Every coefficient of ``technology``, in the order of its file."""
    for name, primitive in technology.primitives.items():
        kind = "register" if name == "flip_flop" else "logic"
        source = f"{primitive.source}: {primitive.cell}" if primitive.cell else primitive.source
        for field, spread in (
            ("area_um2", f"{kind}_area"),
            ("energy_pj", f"{kind}_energy"),
            ("clock_pj", f"{kind}_energy"),
            ("delay_ps", "delay"),
            ("carry_delay_ps", "delay"),
            ("setup_ps", "delay"),
            ("leakage_uw", "leakage"),
        ):
            if value := getattr(primitive, field):
                yield Coefficient(f"{name}.{field}", value, UNITS[field.rpartition("_")[2]], spread, source)
    law = technology.sram_law
    terms = ("1", "s", "s^2", "w", "s w")
    for quantity, values in law.coefficients.items():
        residual = law.residual[quantity]
        source = f"{law.source}: residual {residual['rms_percent']:g} % rms, {residual['worst_percent']:g} % worst"
        spread = {"area": "sram_area", "leakage": "leakage", "access": "delay"}.get(
            quantity.partition("_")[0], "sram_energy"
        )
        for term, value in zip(terms, values, strict=True):
            yield Coefficient(f"sram.log2_{quantity} [{term}]", value, "", "", source)
        yield Coefficient(f"sram.{quantity} anchor", law.anchor[quantity], "", spread, law.anchor_source)
    voltage = technology.voltage_law
    for field, unit_name, polynomial in (("delay_ps", "ps", voltage.delay_ps), ("energy_fj", "fJ", voltage.energy_fj)):
        for power, value in enumerate(polynomial):
            yield Coefficient(f"voltage_law.{field} [V^{power}]", value, f"{unit_name}/V^{power}", "", voltage.source)
    yield Coefficient("voltage_law.nominal_delay_ps", voltage.nominal_delay_ps, "ps", "", voltage.source)
    unit = technology.vector_unit
    for field, spread in (("area_um2", "vector_area"), ("energy_pj", "vector_energy"), ("leakage_uw", "leakage")):
        yield Coefficient(
            f"vector_unit.{field}", getattr(unit, field), UNITS[field.rpartition("_")[2]], spread, unit.source
        )
    for name, dram in technology.drams.items():
        for field, unit_name, spread in (
            ("bandwidth_bytes_per_s", "B/s", ""),
            ("capacity_bytes", "B", ""),
            ("energy_pj_per_bit", "pJ/bit", "dram_energy"),
            ("area_mm2", "mm2", "dram_area"),
            ("static_w", "W", "dram_static"),
        ):
            yield Coefficient(f"dram.{name}.{field}", getattr(dram, field), unit_name, spread, dram.sources[field])
