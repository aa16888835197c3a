"""The coefficients of a technology as a table, each with unit, spread and source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwexplore.technology.device import Device
from hwexplore.technology.scaling import Scaling
from hwexplore.technology.technology import Technology

__all__ = ["Coefficient", "coefficients", "device_coefficients"]


@dataclass(frozen=True)
class Coefficient:
    """One figure: ``spread`` is the named factor whose log-normal spread it shares, ``source`` where it comes from."""

    name: str
    value: float
    unit: str
    spread: str
    source: str


UNITS = {"um2": "um2", "pj": "pJ", "ps": "ps", "uw": "uW"}


def coefficients(technology: Technology) -> Iterator[Coefficient]:
    """Every coefficient of ``technology``: its scaling, logic, SRAM, supply voltage, vector unit, wires, DRAM."""
    yield from _scalings("", technology.scalings)
    yield from _primitives(technology)
    yield from _sram(technology)
    yield from _voltage(technology)
    yield from _vector_unit(technology)
    wire = technology.wire
    yield Coefficient("wire.pj_per_bit_mm_v2", wire.pj_per_bit_mm_v2, "pJ/(bit mm V^2)", "wire_energy", wire.source)
    yield from _drams(technology)


def device_coefficients(device: Device) -> Iterator[Coefficient]:
    """Every coefficient of an FPGA: its resources, LUTs per primitive of a part, flip-flops, DSP blocks, memories."""
    for name, count in device.resources.items():
        yield Coefficient(f"resources.{name}", count, "", "", device.sources["resources"])
    for name, luts in device.lut_law.luts.items():
        yield Coefficient(f"luts.{name}", luts, "LUT", "lut", device.lut_law.source)
    yield Coefficient("lut.sigma", device.lut_law.sigma, "", "", device.lut_law.source)
    yield Coefficient("ff.sigma", device.ff_sigma, "", "", device.ff_source)
    rule = device.dsp_rule
    for field in ("wide", "narrow", "part", "operand_bits", "product_bits"):
        yield Coefficient(f"dsp.{field}", getattr(rule, field), "bit", "", rule.source)
    for bits, products in rule.packing.items():
        yield Coefficient(f"dsp.products of {bits} x {bits} bits", products, "", "", rule.packing_source)
    for name, block in device.memories.items():
        for width, depth in block.shapes:
            yield Coefficient(f"{name}.words of {width} bits", depth, "", "", block.source)


def _scalings(prefix: str, scalings: Sequence[Scaling]) -> Iterator[Coefficient]:
    for by in scalings:
        for field in ("area", "energy", "delay", "leakage"):
            yield Coefficient(f"{prefix}{field} over {by.base}", getattr(by, field), "", "", by.sources[field])


def _origin(scalings: Sequence[Scaling]) -> str:
    return f"; scaled from {scalings[0].base}" if scalings else ""


def _primitives(technology: Technology) -> Iterator[Coefficient]:
    origin = _origin(technology.scalings)
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
                yield Coefficient(f"{name}.{field}", value, UNITS[field.rpartition("_")[2]], spread, source + origin)


def _sram(technology: Technology) -> Iterator[Coefficient]:
    for field in ("most", "area", "energy"):
        yield Coefficient(f"sizing.{field}", getattr(technology.sizing, field), "", "", technology.sizing.source)
    yield Coefficient("glitches.ratio", technology.glitches.ratio, "", "", technology.glitches.source)
    law = technology.sram_law
    yield from _scalings("sram.", law.scalings)
    terms = ("1", "s", "s^2", "w", "s w")
    spreads = {"area": "sram_area", "leakage": "sram_leakage", "access": "sram_delay"}
    for quantity, values in law.coefficients.items():
        residual = law.residual[quantity]
        source = f"{law.source}: residual {residual['rms_percent']:g} % rms, {residual['worst_percent']:g} % worst"
        for term, value in zip(terms, values, strict=True):
            yield Coefficient(f"sram.log2_{quantity} [{term}]", value, "", "", source)
        spread = spreads.get(quantity.partition("_")[0], "sram_energy")
        source = law.anchor_source + _origin(law.scalings)
        yield Coefficient(f"sram.{quantity} anchor", law.anchor[quantity], "", spread, source)


def _voltage(technology: Technology) -> Iterator[Coefficient]:
    law = technology.voltage_law
    if law is None:
        return
    for field, unit, polynomial in (("delay_ps", "ps", law.delay_ps), ("energy_fj", "fJ", law.energy_fj)):
        for power, value in enumerate(polynomial):
            yield Coefficient(f"voltage_law.{field} [V^{power}]", value, f"{unit}/V^{power}", "", law.source)
    if law.nominal_delay_ps is not None:
        yield Coefficient("voltage_law.nominal_delay_ps", law.nominal_delay_ps, "ps", "", law.source)


def _vector_unit(technology: Technology) -> Iterator[Coefficient]:
    unit = technology.vector_unit
    source = unit.source + _origin(technology.scalings)
    for field, spread in (("area_um2", "vector_area"), ("energy_pj", "vector_energy"), ("leakage_uw", "leakage")):
        yield Coefficient(f"vector_unit.{field}", getattr(unit, field), UNITS[field.rpartition("_")[2]], spread, source)


def _drams(technology: Technology) -> Iterator[Coefficient]:
    for name, dram in technology.drams.items():
        for field, unit, spread in (
            ("bandwidth_bytes_per_s", "B/s", ""),
            ("capacity_bytes", "B", ""),
            ("energy_pj_per_bit", "pJ/bit", "dram_energy"),
            ("area_mm2", "mm2", "dram_area"),
            ("static_w", "W", "dram_static"),
            ("uncertainty", "", ""),
        ):
            yield Coefficient(f"dram.{name}.{field}", getattr(dram, field), unit, spread, dram.sources[field])
