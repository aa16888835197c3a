from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hwexplore import technology
from hwexplore.formats import Format, catalog
from hwexplore.pe import PE
from hwexplore.search import Space

Run = Callable[..., tuple[int, str, str]]

COMMANDS = {
    "formats list": list(catalog()),
    "formats show mxfp4": ["e2m1", "e8m0"],
    "formats show int3": ["element minimum"],
    "pe list": [str(pe) for pe in Space.default().choices.values["pe"]],
    "pe show mac(int4,int8,acc=int32)": ["full_adder", "area_um2"],
    "technology list": technology.names(),
    "technology show nangate45": [row.name for row in technology.coefficients(technology.load("nangate45"))],
    "technology show 3nm": ["area over asap7", "energy over 5nm", "sram.area over cacti22", "dram.hbm3.uncertainty"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_text_and_json(command: str, run: Run) -> None:
    code, out, err = run(*command.split())
    assert (code, err) == (0, "")
    code, text, err = run(*command.split(), "--json")
    assert (code, err) == (0, "")
    json.loads(text)
    for word in COMMANDS[command]:
        assert word in out
        assert word in text


@pytest.mark.parametrize("name", catalog())
def test_every_format_can_be_shown(name: str, run: Run) -> None:
    facts = json.loads(run("formats", "show", name, "--json")[1])
    assert facts["bits"] == Format.parse(name).bits
    assert Format.parse(facts["name"]) == Format.parse(name)
    assert run("formats", "show", name)[0] == 0


def test_pe_figures(run: Run) -> None:
    text = "mac(int8, int8, acc=int32)"
    cost = PE.parse(text).cost("nangate45")
    facts = json.loads(run("pe", "show", text, "--json")[1])
    area = facts["area_um2"]
    assert (area["low"], area["mid"], area["high"]) == (cost.area_um2.low, cost.area_um2.mid, cost.area_um2.high)
    assert sum(line["area_um2"] for line in facts["bill"]) == pytest.approx(cost.area_um2.mid, abs=0.1)
    faster = json.loads(run("pe", "show", text, "--period-ps", cost.min_period_ps.mid / 1.1, "--json")[1])
    assert faster["area_um2"]["mid"] > area["mid"]
    assert sum(line["area_um2"] for line in faster["bill"]) == pytest.approx(faster["area_um2"]["mid"], abs=0.1)


def test_scaled_technologies_are_marked(run: Run) -> None:
    rows = {row["name"]: row for row in json.loads(run("technology", "list", "--json")[1])}
    assert {name: (row["scaled from"], row["SRAM scaled from"]) for name, row in rows.items()} == {
        "nangate45": (None, None),
        "sg13g2": (None, None),
        "asap7": (None, "cacti22"),
        "gt2n": (None, "cacti22"),
        "sky130hd": (None, "ihp130"),
        "gf180": (None, "ihp130"),
        "28nm": ("nangate45", "cacti32"),
        **dict.fromkeys(("22nm", "16nm", "12nm"), ("nangate45", "cacti22")),
        **dict.fromkeys(("5nm", "3nm"), ("asap7", "cacti22")),
    }
    assert {row["C"] for row in rows.values()} == {25}
    assert "scaled from asap7" in run("technology", "show", "3nm")[1]
    assert "all leakage at 25 C" in run("technology", "show", "nangate45")[1]


def test_sources_are_printed(run: Run) -> None:
    node = technology.load("nangate45")
    out = run("technology", "show", "nangate45")[1]
    for text in (*node.sources.values(), *node.spread_sources.values()):
        assert text in out
    rows = {row["name"]: row for row in json.loads(run("technology", "show", "nangate45", "--json")[1])}
    assert rows["full_adder.area_um2"]["source"].startswith(node.sources["fit"])
