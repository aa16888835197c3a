from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from circuits import CELLS, circuit

from hwexplore.calibration.cells import Cells, compile_cells
from hwexplore.calibration.glitches import Toggles, toggles
from hwexplore.calibration.liberty import Library
from hwexplore.calibration.netlist import Netlist, read_netlist
from hwexplore.calibration.power import power, simulate_power
from hwexplore.calibration.primitives import nangate45
from hwexplore.calibration.simulation import Transition, simulate
from hwexplore.calibration.stimulus import stimulus
from hwexplore.calibration.timing import Timing, analyse
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.rtl.verilog import module_name, pe_verilog, yosys

UNIT = PE.parse("mac(int4, int4, acc=int16)")


def test_an_inverter_in_front_of_a_flip_flop() -> None:
    """Of 2 V cells, by hand: a net with one pin has 1 fF and 0.5 fF of wire, half of C V^2 is 3 fJ."""
    netlist = circuit({"clk": (2,), "x": (3,)}, {"q": (5,)}, ("inv", (3,), (4,)), ("dff", (2, 4), (5, 6)))
    counts = Toggles(np.array([0, 0, 0, 0.5, 0.5, 0.25, 0.25]), np.array([0, 0, 0, 0, 0.1, 0, 0]))
    found = power(netlist, CELLS, analyse(netlist, CELLS), counts)
    assert found.useful.toggles == pytest.approx(1.0)
    assert found.useful.internal_pj == pytest.approx(1e-3 * (0.5 * 3 + 0.25 * (7 + 2 + 5)))
    assert found.useful.switching_pj == pytest.approx(1e-3 * 0.5 * 3)
    assert found.glitch.toggles == pytest.approx(0.1)
    assert found.glitch.energy_pj == pytest.approx(1e-3 * 0.1 * (3 + 3))
    assert found.input_pj == pytest.approx(1e-3 * 0.5 * 3)
    assert found.clock_pj == pytest.approx(1e-3 * (4 + 1.5 * 2**2))
    assert found.leakage_uw == pytest.approx(0.25 + 0.5)
    parts = found.useful.energy_pj + found.glitch.energy_pj + found.input_pj + found.clock_pj
    assert found.dynamic_pj_per_cycle == pytest.approx(parts)


@pytest.mark.parametrize(
    ("cell", "name"),
    [("fa", "full_adder"), ("ha", "half_adder"), ("xor", "xor"), ("mux", "mux"), ("aoi", "other"), ("nand", "other")],
)
def test_cells_are_classed_by_their_function(cell: str, name: str) -> None:
    count = len(CELLS[cell].outputs)
    inputs = range(2, 2 + len(CELLS[cell].inputs))
    netlist = circuit({"x": tuple(inputs)}, {}, (cell, inputs, range(10, 10 + count)), ("inv", (10,), (12,)))
    counts = np.arange(13.0)
    activity = power(netlist, CELLS, analyse(netlist, CELLS), Toggles(counts, 2 * counts)).activity
    if name != "other":
        assert activity[name].outputs == count
        assert activity[name].fanout == 1 / count
        assert activity[name].useful == 10 + (count - 1) / 2
        assert activity[name].glitch == 2 * activity[name].useful
    assert activity["other"].outputs == 1 + (name == "other")


def test_a_gate_that_only_sees_constants_takes_nothing() -> None:
    netlist = circuit({"clk": (2,)}, {"q": (4,)}, ("nand", (0, 1), (3,)), ("dff", (2, 3), (4, None)))
    timing = analyse(netlist, CELLS)
    still = Transition((0, 1, 0, 1, 1), (0, 1, 0, 1, 1), 1)
    found = power(netlist, CELLS, timing, toggles(netlist, CELLS, timing, still))
    assert found.dynamic_pj_per_cycle == found.clock_pj


@pytest.fixture(scope="module")
def cells(nangate: Library) -> Cells:
    return compile_cells(nangate)


def synthesised(pe: PE, cells: Cells, folder: Path) -> Netlist:
    """The core of ``pe`` as Yosys maps it to Nangate45."""
    (folder / "unit.v").write_text(pe_verilog(pe), "utf-8")
    library = f"-liberty {nangate45()}"
    synth = [f"synth -top {module_name(pe)} -flatten -booth", f"dfflibmap {library}", f"abc {library}"]
    yosys(["read_verilog unit.v", *synth, "opt_clean -purge", "write_json unit.json"], folder)
    return read_netlist(folder / "unit.json", cells)


@pytest.fixture(scope="module")
def netlist(cells: Cells, tmp_path_factory: pytest.TempPathFactory) -> Netlist:
    return synthesised(UNIT, cells, tmp_path_factory.mktemp("unit"))


@pytest.fixture(scope="module")
def timing(netlist: Netlist, cells: Cells) -> Timing:
    return analyse(netlist, cells)


def test_a_real_unit_computes_what_the_model_says_and_glitches(netlist: Netlist, cells: Cells, timing: Timing) -> None:
    found = simulate_power(UNIT, netlist, cells, timing)
    assert found == simulate_power(UNIT, netlist, cells, timing)
    assert found.leakage_uw == pytest.approx(netlist.leakage_uw)
    assert 0.5 * found.useful.toggles < found.glitch.toggles < 4 * found.useful.toggles
    assert found.activity["flip_flop"].glitch == 0
    assert found.internal_pj + found.switching_pj + found.clock_pj == pytest.approx(found.dynamic_pj_per_cycle)
    uniform = simulate_power(UNIT, netlist, cells, timing, operands="uniform")
    assert uniform.useful.toggles > found.useful.toggles


def test_more_streams_and_finer_steps_change_little(netlist: Netlist, cells: Cells, timing: Timing) -> None:
    transition = simulate(netlist, stimulus(UNIT, streams=512))
    coarse = toggles(netlist, cells, timing, transition)
    all_ps = [delay for gate in timing.delays_ps for output in gate for delay in output if delay > 0]
    fine = toggles(netlist, cells, timing, transition, step_ps=float(np.mean(all_ps)) / 16)
    total = (fine.useful + fine.glitch).sum()
    assert (coarse.useful + coarse.glitch).sum() == pytest.approx(total, rel=0.05)
    fewer = toggles(netlist, cells, timing, simulate(netlist, stimulus(UNIT, streams=256, seed=1)))
    assert (fewer.useful + fewer.glitch).sum() == pytest.approx((coarse.useful + coarse.glitch).sum(), rel=0.05)


def test_the_netlist_of_another_unit_is_an_error(netlist: Netlist, cells: Cells, timing: Timing) -> None:
    with pytest.raises(InputError, match="differs from what the golden model gives"):
        simulate_power(PE.parse("mac(uint4, int4, acc=int16)"), netlist, cells, timing)


@pytest.mark.slow
def test_an_int8_unit_glitches_as_published(cells: Cells, tmp_path: Path) -> None:
    """Another INT8 unit on Nangate45 made 212 transitions a cycle without delays and 560 with them."""
    pe = PE.parse("mac(int8, int8, acc=int32)")
    netlist = synthesised(pe, cells, tmp_path)
    found = simulate_power(pe, netlist, cells, analyse(netlist, cells))
    assert found.useful.toggles == pytest.approx(212, rel=0.2)
    assert found.useful.toggles + found.glitch.toggles == pytest.approx(560, rel=0.2)
