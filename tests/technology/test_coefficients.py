from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import tomllib

from hwexplore.technology import coefficients, load, names

NOT_COEFFICIENTS = {
    *("node_nm", "voltage", "temperature_c"),
    *("size_bytes", "word_bits", "rms_percent", "worst_percent"),
    *("volts", "delay_until"),
}
"""The conditions and ranges that the figures hold for, and how well the law fits."""


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


@pytest.mark.parametrize("name", names())
def test_every_figure_of_the_file_is_listed_once(name: str) -> None:
    table = tomllib.loads((files("hwexplore.models") / "technologies" / f"{name}.toml").read_text("utf-8"))
    in_file = sorted((path.removeprefix("primitives."), value) for path, value in figures(table))
    listed = sorted(
        (re.sub(r"^sram\.(\w+) anchor$", r"sram.anchor.\1", c.name.partition(" [")[0]), c.value)
        for c in coefficients(load(name))
    )
    assert listed == in_file
    assert len({c.name for c in coefficients(load(name))}) == len(in_file)


@pytest.mark.parametrize("name", names())
def test_every_figure_has_a_source_and_a_known_spread(name: str) -> None:
    technology = load(name)
    for coefficient in coefficients(technology):
        key = coefficient.source.partition(":")[0]
        assert key in technology.sources or len(coefficient.source) > 20, coefficient
        if coefficient.spread:
            assert coefficient.spread in technology.spread
            assert len(technology.spread_sources[coefficient.spread]) > 15 or coefficient.spread == "vector_energy"
    assert technology.spread.keys() == technology.spread_sources.keys()
    assert all(len(source) > 20 for source in technology.sources.values())
    assert {c.spread for c in coefficients(technology)} - {""} == technology.spread.keys()


@pytest.mark.parametrize("name", names())
def test_units_are_those_of_the_names(name: str) -> None:
    units = {
        "um2": "um2",
        "mm2": "mm2",
        "pj": "pJ",
        "ps": "ps",
        "uw": "uW",
        "w": "W",
        "fj": "fJ",
        "bit": "pJ/bit",
        "s": "B/s",
    }
    for coefficient in coefficients(load(name)):
        if coefficient.name.startswith("sram."):
            assert coefficient.unit == ""
        elif "V^" in coefficient.name:
            quantity, power = re.fullmatch(r"voltage_law\.\w+_(\w+) \[(V\^\d)\]", coefficient.name).groups()
            assert coefficient.unit == f"{units[quantity]}/{power}"
        elif not coefficient.name.endswith("bytes"):
            assert coefficient.unit == units[coefficient.name.rpartition("_")[2]]
