from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.calibration.cells import Cells, Table, compile_cells
from hwexplore.calibration.liberty import Library, read_liberty
from hwexplore.errors import InputError

HEADER = """library (tiny) {
  time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1, pf); leakage_power_unit : "1nW";
  nom_voltage : 2; nom_temperature : 25;
  wire_load (w) { capacitance : 0.001; fanout_length (1, 2); fanout_length (3, 6); }
  default_wire_load : w;
  lu_table_template (grid) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.0, 0.1"); index_2 ("0.0, 0.01");
  }
  lu_table_template (turned) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("0.0, 0.01"); index_2 ("0.0, 0.1");
  }
"""
CONSTANT = " ".join(
    f'{kind} (scalar) {{ values ("0.02"); }}'
    for kind in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
)


def pin(name: str, extra: str = "") -> str:
    return f"pin ({name}) {{ direction : input; capacitance : 0.002; {extra} }}\n"


def output(name: str, function: str, timing: str, power: str) -> str:
    return f'pin ({name}) {{ direction : output; function : "{function}"; {timing} {power} }}\n'


def arc(related: str, sense: str = "negative_unate", tables: str = CONSTANT, extra: str = "") -> str:
    return f'timing () {{ related_pin : "{related}"; timing_sense : {sense}; {extra} {tables} }}\n'


def power(related: str, rise: float, fall: float, extra: str = "") -> str:
    return f"""internal_power () {{ related_pin : "{related}"; {extra}
      rise_power (scalar) {{ values ("{rise}"); }} fall_power (scalar) {{ values ("{fall}"); }} }}\n"""


def cell(name: str, body: str, area: float = 1.0) -> str:
    return f"cell ({name}) {{ area : {area}; cell_leakage_power : 3; {body} }}\n"


NAND = cell("nand", pin("a") + pin("b") + output("y", "!(a & b)", arc("a") + arc("b"), power("a", 0.001, 0.003)))


def flip_flop(name: str, inside: str = "", next_state: str = "d", extra: str = "", area: float = 4.0) -> str:
    clock = """
      internal_power () { when : "!d & !q | d & q"; rise_power (scalar) { values ("0.004"); }
        fall_power (scalar) { values ("0.002"); } }
      internal_power () { when : "!d & q | d & !q"; rise_power (scalar) { values ("0.005"); }
        fall_power (scalar) { values ("0.002"); } }"""
    setup = """
      timing () { related_pin : "c"; timing_type : setup_rising;
        rise_constraint (scalar) { values ("0.03"); } fall_constraint (scalar) { values ("0.04"); } }
      internal_power () { rise_power (scalar) { values ("0.0005"); } fall_power (scalar) { values ("0.0005"); } }"""
    state = f'ff (s, sn) {{ clocked_on : "c"; next_state : "{next_state}"; {inside} }}'
    outputs = output("q", "s", arc("c", "non_unate", extra="timing_type : rising_edge;"), power("c", 0.001, 0.001))
    outputs += output("qn", "sn", arc("c", "non_unate", extra="timing_type : rising_edge;"), power("c", 0.002, 0.002))
    return cell(name, state + pin("c", clock) + pin("d", setup) + extra + outputs, area)


def compiled(folder: Path, *cells: str, header: str = HEADER) -> Cells:
    path = folder / "tiny.lib"
    path.write_text(header + "".join(cells) + "}", "utf-8")
    return compile_cells(read_liberty(path))


def test_a_gate_in_our_units(tmp_path: Path) -> None:
    cells = compiled(tmp_path, NAND, flip_flop("dff"))
    nand = cells["nand"]
    assert (cells.name, cells.voltage, cells.temperature_c) == ("tiny", 2.0, 25.0)
    assert (nand.inputs, nand.outputs, nand.input_ff) == (("a", "b"), ("y",), (2.0, 2.0))
    assert nand.truth == ((True, True, True, False),)
    assert nand.leakage_uw == pytest.approx(3e-3)
    assert {(one.input, one.inverting) for one in nand.arcs} == {(0, True), (1, True)}
    assert nand.arcs[0].delay[0](7.0, 1.0) == pytest.approx(20.0)
    assert nand.internal_fj[0](7.0, 1.0) == pytest.approx(2.0)
    assert (cells.clock_slew_ps, cells.port_load_ff) == (pytest.approx(20.0), pytest.approx(2 * 2 + 4))


def test_wires_by_fanout_go_on_in_proportion(tmp_path: Path) -> None:
    cells = compiled(tmp_path, NAND, flip_flop("dff"))
    assert [cells.wire_ff(fanout) for fanout in (0, 1, 2, 3, 6)] == pytest.approx([0, 2, 4, 6, 12])
    bare = HEADER.replace("default_wire_load : w;", "")
    assert compiled(tmp_path, NAND, flip_flop("dff"), header=bare).wire_ff(5) == 0


def test_rails_add_up_and_states_are_averaged(tmp_path: Path) -> None:
    rails = power("a", 0.001, 0.003, "related_pg_pin : VDD;") + power("a", 0.002, 0.002, "related_pg_pin : VSS;")
    states = power("a", 0.001, 0.003, 'when : "b";') + power("a", 0.003, 0.005, 'when : "!b";')
    body = pin("a") + pin("b")
    by_rail = cell("by_rail", body + output("y", "a ^ b", arc("a", "non_unate"), rails))
    leaking = 'leakage_power () { when : "a"; value : 1; } leakage_power () { when : "!a"; value : 4; }'
    by_state = cell("by_state", leaking + body + output("y", "a ^ b", arc("a", "non_unate"), states))
    cells = compiled(tmp_path, NAND, by_rail, by_state, flip_flop("dff"))
    assert cells["by_rail"].internal_fj[0](0, 0) == pytest.approx(4.0)
    assert cells["by_state"].internal_fj[0](0, 0) == pytest.approx(3.0)
    assert cells["by_state"].leakage_uw == pytest.approx(2.5e-3)
    assert {(one.input, one.inverting) for one in cells["by_rail"].arcs} == {(0, False), (0, True)}


def test_arcs_that_differ_by_state_become_the_slowest_whatever_their_axes(tmp_path: Path) -> None:
    """By hand: 1 + slew/10 + 2 load and 2 + slew/10 + load, the axes of the latter the other way round."""

    def tables(kind: str, template: str, values: str) -> str:
        return f"{kind} ({template}) {{ values ({values}); }}"

    first = tables("cell_rise", "grid", '"0.001, 0.021", "0.011, 0.031"')
    second = tables("cell_rise", "turned", '"0.002, 0.012", "0.012, 0.022"')
    others = CONSTANT[CONSTANT.index("cell_fall") :]
    timing = arc("a", tables=first + others, extra='when : "b";') + arc(
        "a", tables=second + others, extra='when : "!b";'
    )
    gate = cell("gate", pin("a") + pin("b") + output("y", "!(a | b)", timing, power("a", 1, 1)))
    (found,) = compiled(tmp_path, NAND, gate, flip_flop("dff"))["gate"].arcs
    for slew, load in product((0.0, 100.0), (0.0, 10.0)):
        assert found.delay[0](slew, load) == pytest.approx(max(1 + slew / 10 + 2 * load, 2 + slew / 10 + load))


def test_a_flip_flop(tmp_path: Path) -> None:
    state = compiled(tmp_path, NAND, flip_flop("dff"))["dff"].flip_flop
    assert state is not None
    assert (state.clock, state.data, state.inverted, state.idle_pins) == (0, 1, (False, True), ())
    assert state.setup_ps(5.0, 0.0) == pytest.approx(40.0)
    assert state.clock_fj == pytest.approx(4 + 2)
    assert state.toggle_fj == pytest.approx(5 - 4 + 0.5)


def test_setup_is_at_the_slew_of_the_clock_whatever_the_order_of_the_axes(tmp_path: Path) -> None:
    """By hand, at the clock's 20 ps of 100: a fifth of the way from 10 to 60 ps, 20 ps more with the slowest data."""
    templates = """
      lu_table_template (one) { variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
        index_1 ("0.0, 0.1"); index_2 ("0.0, 0.1"); }
      lu_table_template (two) { variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;
        index_1 ("0.0, 0.1"); index_2 ("0.0, 0.1"); }"""
    plain = flip_flop("dff")
    one = plain.replace('(scalar) { values ("0.03"); }', '(one) { values ("0.01, 0.03", "0.06, 0.08"); }')
    two = plain.replace('(scalar) { values ("0.03"); }', '(two) { values ("0.01, 0.06", "0.03, 0.08"); }')
    for text in (one, two):
        text = text.replace('(scalar) { values ("0.04"); }', '(scalar) { values ("0.0"); }')
        state = compiled(tmp_path, NAND, text, header=HEADER + templates)["dff"].flip_flop
        assert state is not None
        assert [state.setup_ps(slew, 0.0) for slew in (0.0, 50.0, 100.0)] == pytest.approx([20.0, 30.0, 40.0])


def test_asynchronous_inputs_are_idle_and_inverted_data_is_seen(tmp_path: Path) -> None:
    reset = flip_flop("reset", 'clear : "!r";', extra=pin("r"))
    preset = flip_flop("preset", 'preset : "p";', extra=pin("p"))
    inverted = flip_flop("inverted", next_state="!d")
    enabled = flip_flop("enabled", next_state="d & e", extra=pin("e"))
    scan = flip_flop("scan", extra=pin("e"))
    cells = compiled(tmp_path, NAND, reset, preset, inverted, enabled, scan, flip_flop("small", area=2.0))
    assert set(cells.cells) == {"nand", "reset", "preset", "inverted", "small"}
    for name, idle in (("reset", ((2, True),)), ("preset", ((2, False),))):
        assert cells[name].flip_flop.idle_pins == idle  # type: ignore[union-attr]
    assert cells["inverted"].flip_flop.inverted == (True, False)  # type: ignore[union-attr]
    assert cells.smallest_flip_flop.name == "small"


def test_cells_that_no_synthesis_may_use_are_left_out(tmp_path: Path) -> None:
    hidden = NAND.replace("(nand)", "(hidden)").replace("area", "dont_use : true; area")
    bare = cell("bare", pin("a") + output("y", "a", arc("a"), ""))
    driver = cell("driver", pin("a") + output("y", "a", arc("a"), power("a", 1, 1) + 'three_state : "a";'))
    filler = cell("filler", pin("a"))
    cells = compiled(tmp_path, NAND, hidden, bare, driver, filler, flip_flop("dff"))
    assert set(cells.cells) == {"nand", "dff"}
    with pytest.raises(InputError, match="unknown cell of tiny 'nor'"):
        cells["nor"]


def test_a_library_without_what_every_netlist_needs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no characterised flip-flop"):
        compiled(tmp_path, NAND)
    with pytest.raises(InputError, match="no characterised 2-input NAND"):
        compiled(tmp_path, flip_flop("dff"))


@given(st.floats(-50, 500), st.floats(-5, 50))
def test_tables_reproduce_a_bilinear_function_everywhere(slew: float, load: float) -> None:
    def function(x: float, y: float) -> float:
        return 3 + 0.5 * x - 2 * y + 0.25 * x * y

    slews, loads = (1.0, 10.0, 100.0), (0.5, 2.0, 7.0, 20.0)
    table = Table(slews, loads, tuple(tuple(function(x, y) for y in loads) for x in slews))
    assert table(slew, load) == pytest.approx(function(slew, load), rel=1e-9, abs=1e-6)


def test_the_real_library(nangate: Library) -> None:
    cells = compile_cells(nangate)
    adder = cells["FA_X1"]
    rows = list(product((False, True), repeat=3))
    assert dict(zip(adder.outputs, adder.truth, strict=True)) == {
        "CO": tuple(sum(row) > 1 for row in rows),
        "S": tuple(sum(row) % 2 == 1 for row in rows),
    }
    assert cells.smallest_flip_flop.name == "DFF_X1"
    assert "SDFF_X1" not in cells.cells
    assert "TBUF_X1" not in cells.cells
