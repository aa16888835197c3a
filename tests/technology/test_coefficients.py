from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import tomllib

from hwexplore.technology import Coefficient, coefficients, load, names

NOT_COEFFICIENTS = {
    *("node_nm", "voltage", "temperature_c"),
    *("size_bytes", "word_bits", "rms_percent", "worst_percent"),
    *("volts", "delay_until"),
}
"""The conditions and ranges that the figures hold for, and how well the law fits."""
UNITS = {name: name for name in ("um2", "mm2", "ps")} | {
    "pj": "pJ",
    "uw": "uW",
    "w": "W",
    "fj": "fJ",
    "bit": "pJ/bit",
    "s": "B/s",
    "bytes": "B",
    "v2": "pJ/(bit mm V^2)",
}


def read(folder: str, name: str) -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / folder / f"{name}.toml").read_text("utf-8"))


def figures(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a TOML table with its dotted path, spreads left out."""
    for key, value in table.items():
        if isinstance(value, dict):
            if key != "spread":
                yield from figures(value, f"{path}{key}.")
        elif key not in NOT_COEFFICIENTS:
            for number in value if isinstance(value, list) else [value]:
                if isinstance(number, int | float):
                    yield f"{path}{key}", float(number)


def published(name: str) -> Iterator[tuple[str, float]]:
    """The figures of a node's file and of those that it refers to, by the names of the listing.

    Of a base that is scaled only the factors count, as the figures listed are scaled themselves.
    """
    node = read("technologies", name)
    yield from steps(node, "technologies", "")
    node.pop("scaled", None)
    calibrated = node["name"]
    while "scaled" in read("technologies", calibrated):
        calibrated = read("technologies", calibrated)["scaled"]["base"]
    fitted = {key: value for key, value in read("calibration", calibrated).items() if key != "spread"}
    if calibrated != node["name"]:
        del fitted["primitives"]
    yield from ((path.removeprefix("primitives."), value) for path, value in figures(node | fitted))
    law = read("memories", f"sram_{node['sram']}")
    yield from steps(law, "memories", "sram.")
    while "scaled" in law:
        law = read("memories", f"sram_{law['scaled']['base']}")
    yield from ((f"sram.{path.removeprefix('law.')}", value) for path, value in figures({"law": law["law"]}))
    yield from figures({"dram": read("memories", "dram")["dram"]})
    yield from figures({"wire": read("", "wire")["wire"]})


def steps(table: dict[str, Any], folder: str, prefix: str) -> Iterator[tuple[str, float]]:
    while "scaled" in table:
        base = table["scaled"]["base"]
        for path, value in figures(table["scaled"]):
            yield f"{prefix}{path} over {base}", value
        table = read(folder, base if folder == "technologies" else f"sram_{base}")


def listed(name: str) -> Iterator[Coefficient]:
    """The listing without the figures that are products: primitives of scaled nodes, anchors of SRAM."""
    technology = load(name)
    for c in coefficients(technology):
        of_base = technology.scalings and c.name.partition(".")[0] in (*technology.primitives, "vector_unit")
        if not of_base and not c.name.endswith(" anchor"):
            yield c


@pytest.mark.parametrize("name", names())
def test_every_figure_of_the_files_is_listed_once(name: str) -> None:
    shown = sorted((c.name.partition(" [")[0], c.value) for c in listed(name))
    assert shown == sorted(published(name))
    everything = [c.name for c in coefficients(load(name))]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", names())
def test_anchors_are_listed(name: str) -> None:
    law = load(name).sram_law
    anchors = {c.name: c.value for c in coefficients(load(name)) if c.name.endswith(" anchor")}
    assert anchors == {f"sram.{quantity} anchor": value for quantity, value in law.anchor.items()}


@pytest.mark.parametrize("name", names())
def test_every_figure_has_a_source_and_a_known_spread(name: str) -> None:
    technology = load(name)
    for coefficient in coefficients(technology):
        key = coefficient.source.partition(":")[0]
        assert key in technology.sources or len(coefficient.source) > 8, coefficient
        if coefficient.spread:
            assert coefficient.spread in technology.spread
            assert len(technology.spread_sources[coefficient.spread]) > 5
    assert technology.spread.keys() == technology.spread_sources.keys()
    assert all(len(source) > 20 for source in technology.sources.values())
    assert {c.spread for c in coefficients(technology)} - {""} == technology.spread.keys()


@pytest.mark.parametrize("name", names())
def test_what_is_scaled_says_so(name: str) -> None:
    technology = load(name)
    law = technology.sram_law
    for coefficient in coefficients(technology):
        part = coefficient.name.partition(".")[0]
        if part in (*technology.primitives, "vector_unit"):
            marked = f"; scaled from {technology.scalings[0].base}" if technology.scalings else ""
        elif coefficient.name.endswith(" anchor"):
            marked = f"; scaled from {law.scalings[0].base}" if law.scalings else ""
        else:
            continue
        assert coefficient.source.endswith(marked)
        assert bool(marked) == ("; scaled from " in coefficient.source)


@pytest.mark.parametrize("name", names())
def test_units_are_those_of_the_names(name: str) -> None:
    for coefficient in coefficients(load(name)):
        if coefficient.name.startswith(("sram.", "sizing.", "glitches.")) or " over " in coefficient.name:
            assert coefficient.unit == ""
        elif "V^" in coefficient.name:
            quantity, power = re.fullmatch(r"voltage_law\.\w+_(\w+) \[(V\^\d)\]", coefficient.name).groups()
            assert coefficient.unit == f"{UNITS[quantity]}/{power}"
        elif not coefficient.name.endswith("uncertainty"):
            assert coefficient.unit == UNITS[coefficient.name.rpartition("_")[2]]
