from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwexplore.calibration.boolean import evaluate
from hwexplore.calibration.cells import Cells, compile_cells
from hwexplore.calibration.liberty import Library, read_liberty
from hwexplore.calibration.netlist import read_netlist
from hwexplore.calibration.primitives import nangate45
from hwexplore.calibration.simulation import simulate
from hwexplore.calibration.stimulus import stimulus
from hwexplore.calibration.synthesis import RECIPES, Mapping, elaborate, full_adder, lean_liberty, map_to_cells
from hwexplore.pe import PE

pytest.importorskip("pyosys")


@cache
def cells() -> Cells:
    return compile_cells(read_liberty(nangate45()))


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gates")
    elaborate(PE.parse("mac(int3, int3, acc=int10)"), folder)
    return folder


def read_back(folder: Path) -> Library:
    """The lean library, with what only we ask of a library."""
    text = lean_liberty(cells()).replace("{", "{ nom_voltage : 1.1; nom_temperature : 25;", 1)
    (folder / "lean.lib").write_text(text)
    return read_liberty(folder / "lean.lib")


def test_a_lean_library_reads_back_with_the_same_delays(tmp_path: Path) -> None:
    library = read_back(tmp_path)
    assert (library.time_ps, library.load_ff) == (pytest.approx(1), pytest.approx(1))
    cell = library.cells["XOR2_X1"]
    (output,) = (pin for pin in cell.all("pin") if pin.text("direction") == "output")
    arcs = [arc for arc in cells()["XOR2_X1"].arcs if arc.input == 0]
    (timing,) = (arc for arc in output.all("timing") if arc.text("related_pin") == cells()["XOR2_X1"].inputs[0])
    assert timing.text("timing_sense") == "non_unate"
    (rise,) = timing.all("cell_rise")
    assert library.lookup(rise, slew_ps=20, load_ff=4) == pytest.approx(max(a.delay[0](20, 4) for a in arcs), rel=0.02)


@pytest.mark.parametrize("name", ["NAND2_X1", "AOI21_X1", "FA_X1", "MUX2_X1"])
def test_a_lean_library_keeps_functions(tmp_path: Path, name: str) -> None:
    library = read_back(tmp_path)
    cell = cells()[name]
    for row in range(1 << len(cell.inputs)):
        bits = [bool(row >> (len(cell.inputs) - 1 - place) & 1) for place in range(len(cell.inputs))]
        for number, output in enumerate(cell.outputs):
            (pin,) = (pin for pin in library.cells[name].all("pin") if pin.name == output)
            assert evaluate(pin.text("function"), dict(zip(cell.inputs, bits, strict=True))) == cell.truth[number][row]


def test_the_full_adder_of_the_library_is_found() -> None:
    text = full_adder(cells())
    assert text is not None
    assert "FA_X1" in text


def test_every_recipe_gives_a_netlist_that_computes_the_pe(gates: Path, tmp_path: Path) -> None:
    """Simulating against the golden model: `simulate` refuses a netlist that differs."""
    (tmp_path / "cells.lib").write_text(lean_liberty(cells()))
    (tmp_path / "adders.v").write_text(full_adder(cells()) or "")
    pe = PE.parse("mac(int3, int3, acc=int10)")
    mappings = [Mapping(recipe, "sketch") for recipe in RECIPES]
    mappings += [Mapping("booth", "small"), Mapping("booth", "fast", 500), Mapping("noalumacc", "fast", 1, True)]
    map_to_cells(gates, mappings, tmp_path / "cells.lib", tmp_path / "adders.v", tmp_path)
    areas = {}
    for mapping in mappings:
        netlist = read_netlist(tmp_path / mapping.file, cells())
        assert len(netlist.flip_flops) == 10
        simulate(netlist, stimulus(pe, streams=16))
        areas[str(mapping)] = netlist.area_um2
    with_adders = [name for name in areas if "full adders" in name]
    assert all(np.isfinite(area) for area in areas.values())
    assert len(with_adders) == 4
    assert areas["booth, small"] < areas["noalumacc, restructured, fast 1 ps"]


def test_a_failure_shows_the_last_lines_of_the_tool(gates: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.lib").write_text("library (broken) { cell (")
    with pytest.raises(RuntimeError, match="Yosys failed"):
        map_to_cells(gates, [Mapping("booth", "small")], tmp_path / "broken.lib", None, tmp_path)
