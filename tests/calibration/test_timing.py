from __future__ import annotations

from dataclasses import replace

import pytest
from circuits import CELLS, circuit, flat

from hwexplore.calibration.cells import Arc, Table
from hwexplore.calibration.timing import analyse


def test_the_longest_path_between_registers_ends_with_setup() -> None:
    """30 ps from the clock to a falling output, three gates of 10 ps, 6 ps of setup."""
    netlist = circuit(
        {"clk": (2,), "x": (3,)},
        {"y": (8,)},
        ("inv", (3,), (4,)),
        ("xor", (4, 8), (5,)),
        ("nand", (5, 3), (6,)),
        ("dff", (2, 6), (8, None)),
    )
    timing = analyse(netlist, CELLS)
    assert timing.period_ps == pytest.approx(30 + 3 * 10 + 6)
    assert timing.delays_ps == (((10.0,),), ((10.0, 10.0),), ((10.0, 10.0),))
    assert timing.slews_ps[6] == (4.0, 4.0)


def test_delays_are_at_the_actual_slew_and_load_and_edges_follow_the_sense() -> None:
    """An inverter: its output rises in slew / 2 + load and falls in 1 ps; transitions are 8 ps up and 2 ps down."""
    rising = Table((0.0, 10.0), (0.0, 10.0), ((0.0, 10.0), (5.0, 15.0)))
    edges = Arc(0, 0, True, (rising, flat(1.0)), (flat(8.0), flat(2.0)))
    inverter = replace(CELLS["inv"], arcs=(edges,))
    netlist = circuit(
        {"clk": (2,), "x": (3,)}, {}, ("inv", (3,), (4,)), ("inv", (4,), (5,)), ("dff", (2, 5), (6, None))
    )
    netlist = replace(netlist, gates=tuple(replace(gate, cell=inverter) for gate in netlist.gates))
    timing = analyse(netlist, CELLS)
    load = 1 + 0.5
    assert timing.delays_ps[0] == (((4 / 2 + load + 1) / 2,),)
    assert timing.delays_ps[1] == (((2 / 2 + load + 1) / 2,),)
    first_rise, first_fall = 30 + 4 / 2 + load, 20 + 1
    assert timing.period_ps == pytest.approx(max(first_fall + 2 / 2 + load, first_rise + 1) + 6)


def test_constants_have_no_time() -> None:
    netlist = circuit({"clk": (2,)}, {}, ("nand", (0, 1), (3,)), ("dff", (2, 3), (4, None)))
    timing = analyse(netlist, CELLS)
    assert timing.period_ps == 0
    assert timing.delays_ps == (((0.0, 0.0),),)


def test_a_netlist_without_registers_has_no_period() -> None:
    assert analyse(circuit({"x": (2,)}, {}, ("inv", (2,), (3,))), CELLS).period_ps == 0
