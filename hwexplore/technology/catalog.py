"""The technologies that ship with hwexplore: process nodes, and the memories that they refer to by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from typing import Any

import tomllib

from hwexplore.errors import InputError, unknown
from hwexplore.technology import device
from hwexplore.technology.bill import PRIMITIVES
from hwexplore.technology.memory import Dram, Sram, SramLaw
from hwexplore.technology.scaling import Scaling
from hwexplore.technology.technology import FACTORS, Glitches, Primitive, Sizing, Technology, VectorUnit, Wire
from hwexplore.technology.voltage import VoltageLaw

__all__ = ["from_table", "load", "names"]

Spreads = Mapping[str, tuple[float, str]]
"""Factor to sigma and source."""


def names() -> list[str]:
    """The technologies that ship with hwexplore."""
    return _names("technologies")


@cache
def load(name: str) -> Technology:
    """The technology called ``name``; every coefficient carries its source."""
    if name in device.names():
        raise InputError(
            f"technology {name!r} is an FPGA, of which 'hwexplore utilisation' counts LUTs, flip-flops and DSP blocks; "
            "it has no source of energy and no area in um2"
        )
    table = _read("technologies", name)
    return from_table(table if "scaled" in table else table | _merged(table, _read("calibration", name)))


def _merged(table: Mapping[str, Any], calibrated: Mapping[str, Any]) -> dict[str, Any]:
    """What was calibrated, its spreads and sources beside the technology's own."""
    return {**calibrated, **{key: {**table.get(key, {}), **calibrated.get(key, {})} for key in ("spread", "sources")}}


def from_table(table: Mapping[str, Any]) -> Technology:
    """The technology that a TOML table describes: coefficients, or the factors from another technology's.

    The table names its SRAM law, which is looked up, as are wires and the kinds of DRAM, which all technologies share.
    """
    name, scaling = table["name"], _scaling(table)
    figures = _figures(table) if scaling is None else _scaled_figures(load(scaling.base), scaling)
    law, sram_spreads = _sram_law(table["sram"])
    drams, dram_spreads = _drams()
    wire = tomllib.loads((files("hwexplore.models") / "wire.toml").read_text("utf-8"))
    if law.temperature_c != figures["temperature_c"]:
        raise InputError(
            f"technology {name}: logic leaks at {figures['temperature_c']:g} C, its SRAM {law.name} at "
            f"{law.temperature_c:g} C; one temperature is needed"
        )
    spreads = {**figures.pop("spreads"), **_spreads(table), **sram_spreads, **dram_spreads, **_spreads(wire)}
    missing = [factor for factor in FACTORS if factor not in spreads]
    if missing:
        raise InputError(f"technology {name} has no spread of {', '.join(missing)}")
    return Technology(
        name=name,
        description=table["description"],
        node_nm=table["node_nm"],
        voltage=table["voltage"],
        sram_law=law,
        drams=drams,
        wire=Wire(**wire["wire"]),
        voltage_law=VoltageLaw(**table["voltage_law"]) if "voltage_law" in table else None,
        spread={factor: spreads[factor][0] for factor in FACTORS},
        spread_sources={factor: spreads[factor][1] for factor in FACTORS},
        **figures,
    )


def _figures(table: Mapping[str, Any]) -> dict[str, Any]:
    primitives = {name: Primitive(**record) for name, record in table["primitives"].items()}
    missing = [name for name in PRIMITIVES if name not in primitives]
    if missing:
        raise InputError(f"technology {table['name']} prices no {', '.join(missing)}")
    return {
        "temperature_c": table["temperature_c"],
        "primitives": primitives,
        "vector_unit": VectorUnit(**table["vector_unit"]),
        "sizing": Sizing(**table["sizing"]),
        "glitches": Glitches(**table["glitches"]),
        "sources": table["sources"],
        "scalings": (),
        "spreads": {},
    }


def _scaled_figures(base: Technology, by: Scaling) -> dict[str, Any]:
    return {
        "temperature_c": base.temperature_c,
        "primitives": {
            name: primitive.scaled(area=by.area, energy=by.energy, delay=by.delay, leakage=by.leakage)
            for name, primitive in base.primitives.items()
        },
        "vector_unit": base.vector_unit.scaled(area=by.area, energy=by.energy, leakage=by.leakage),
        "sizing": base.sizing,
        "glitches": base.glitches,
        "sources": base.sources,
        "scalings": (*base.scalings, by),
        "spreads": {factor: (base.spread[factor], base.spread_sources[factor]) for factor in FACTORS},
    }


@cache
def _sram_law(name: str) -> tuple[SramLaw, Spreads]:
    table = _read("memories", f"sram_{name}")
    scaling = _scaling(table)
    if scaling is not None:
        base, spreads = _sram_law(scaling.base)
        law = base.scaled(area=scaling.area, energy=scaling.energy, delay=scaling.delay, leakage=scaling.leakage)
        return replace(law, name=name, scalings=(*base.scalings, scaling)), {**spreads, **_spreads(table)}
    quantities = [field.name for field in fields(Sram)]
    law = SramLaw(
        name=name,
        coefficients={quantity: tuple(table["law"][f"log2_{quantity}"]) for quantity in quantities},
        size_bytes=tuple(table["law"]["size_bytes"]),
        word_bits=tuple(table["law"]["word_bits"]),
        residual=table["residual"],
        temperature_c=table["temperature_c"],
        source=table["sources"]["law"],
        anchor={quantity: table["anchor"][quantity] for quantity in quantities},
        anchor_source=table["sources"]["anchor"],
    )
    return law, _spreads(table)


@cache
def _drams() -> tuple[Mapping[str, Dram], Spreads]:
    table = _read("memories", "dram")
    return {name: Dram(name=name, **record) for name, record in table["dram"].items()}, _spreads(table)


def _names(folder: str) -> list[str]:
    entries = (files("hwexplore.models") / folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def _read(folder: str, name: str) -> dict[str, Any]:
    known = _names(folder)
    if name not in known:
        raise unknown(
            {"technologies": "technology", "memories": "memory", "calibration": "calibration"}[folder], name, known
        )
    return tomllib.loads((files("hwexplore.models") / folder / f"{name}.toml").read_text("utf-8"))


def _scaling(table: Mapping[str, Any]) -> Scaling | None:
    return Scaling(**table["scaled"]) if "scaled" in table else None


def _spreads(table: Mapping[str, Any]) -> Spreads:
    return {factor: (record["sigma"], record["source"]) for factor, record in table.get("spread", {}).items()}
