from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.calibration.liberty import Group, Library, read_liberty
from hwexplore.errors import InputError

SMALL = r"""
/* a library
   by hand */
library (small) {
  time_unit : "10ps";
  voltage_unit : "100mV";
  capacitive_load_unit (2, pf);
  leakage_power_unit : 1uW ;
  nom_voltage : 0.8;  // volts
  nom_temperature : 25.0;
  define(drive, cell, float);
  lu_table_template (grid) {
    variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance;
    index_1 ("1, 2");
    index_2 ("10, 20, 40");
  }
  lu_table_template ("swapped") {
    variable_1 : "total_output_net_capacitance";
    variable_2 : "input_net_transition";
    index_1 ("10, 40"); index_2 ("1, 2");
  }
  wire_load("short") { capacitance : 0.5; fanout_length(1, 2.0); fanout_length(3, 6.0); }
  default_wire_load : "short";
  cell (GATE) {
    area : 1.5 /* no semicolon */
    pin (A) { direction : input; capacitance : 0.25 }
    pin ("Y") {
      function : "(!A)";
      timing () {
        related_pin : "A";
        cell_rise (grid) {
          values ("1, 2, 4", \
                  "3, 4, 6");
        }
        cell_fall (swapped) {
          index_1 ("10, 20");
          values ("1, 3, \
                   2, 4");
        }
        rise_transition (scalar) { values ("7") }
      }
    }
  }
}
"""


def write(folder: Path, text: str, name: str = "small.lib") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return read_liberty(write(tmp_path_factory.mktemp("liberty"), SMALL))


def test_units(small: Library) -> None:
    assert (small.name, small.voltage, small.temperature_c) == ("small", 0.8, 25.0)
    assert small.time_ps == 10
    assert small.load_ff == 2000
    assert small.leakage_uw == 1
    assert small.energy_fj == pytest.approx(2000 * 0.1**2)
    assert small.charge_fj(10) == pytest.approx(6.4)


def test_structure(small: Library) -> None:
    cell = small.cells["GATE"]
    assert cell.number("area") == 1.5
    assert [pin.name for pin in cell.all("pin")] == ["A", "Y"]
    assert cell.all("pin")[0].number("capacitance") == 0.25
    assert cell.all("pin")[1].text("function") == "(!A)"
    assert cell.text("dont_use", "false") == "false"
    with pytest.raises(InputError, match=r"cell \(GATE\) has no attribute 'dont_use'"):
        cell.text("dont_use")
    with pytest.raises(InputError, match=r"'direction' of pin \(A\) is 'input'; a finite number"):
        cell.all("pin")[0].number("direction")


def tables(library: Library) -> dict[str, Group]:
    (timing,) = library.cells["GATE"].all("pin")[1].all("timing")
    return {table.kind: table for table in timing.groups}


@given(slew=st.floats(10, 20), load=st.floats(20e3, 80e3))
def test_lookup_is_bilinear(small: Library, slew: float, load: float) -> None:
    # the table is 1 + 2 (slew - 1) + (load - 10) / 10 up to load 40, exactly bilinear
    expected = 1 + 2 * (slew / 10 - 1) + (load / 2000 - 10) / 10
    assert small.lookup(tables(small)["cell_rise"], slew_ps=slew, load_ff=load) == pytest.approx(expected)


def test_lookup_follows_the_variables_and_the_tables_own_axis(small: Library) -> None:
    fall = tables(small)["cell_fall"]
    assert small.axes(fall)["total_output_net_capacitance"].tolist() == [20e3, 40e3]
    assert small.lookup(fall, slew_ps=20, load_ff=20e3) == 3
    assert small.lookup(fall, slew_ps=10, load_ff=40e3) == 2
    assert small.lookup(fall, slew_ps=15, load_ff=30e3) == 2.5


def test_scalar_table_has_no_axes(small: Library) -> None:
    assert small.lookup(tables(small)["rise_transition"], slew_ps=1e9, load_ff=0) == 7


@pytest.mark.parametrize(
    ("slew", "load", "axis"), [(9.9, 3e4, "transition"), (15, 9e4, "capacitance"), (21, 3e4, "transition")]
)
def test_lookup_never_extrapolates(small: Library, slew: float, load: float, axis: str) -> None:
    with pytest.raises(InputError, match=rf"cell_rise \(grid\): \w*{axis} .* is outside the table; accepted is"):
        small.lookup(tables(small)["cell_rise"], slew_ps=slew, load_ff=load)


def test_wire_load(small: Library, tmp_path: Path) -> None:
    assert [small.wire_ff(fanout) for fanout in (1, 2, 3)] == [2000, 4000, 6000]
    with pytest.raises(InputError, match=r"fanout 4 is outside wire load 'short'; it has \[1.0, 3.0\]"):
        small.wire_ff(4)
    assert read_liberty(write(tmp_path, SMALL.replace('default_wire_load : "short";', ""))).wire_ff(2) == 0
    broken = read_liberty(
        write(tmp_path, SMALL.replace('default_wire_load : "short"', 'default_wire_load : "shorter"'))
    )
    with pytest.raises(InputError, match="unknown wire load 'shorter'; did you mean short"):
        broken.wire_ff(2)


def test_compressed_and_split_files_are_one_library(tmp_path: Path) -> None:
    head, _, tail = SMALL.partition("  cell (GATE)")
    first = write(tmp_path, head + "}")
    second = tmp_path / "second.lib.gz"
    second.write_bytes(gzip.compress((head + "  cell (GATE)" + tail).encode()))
    library = read_liberty(first, second)
    assert list(library.cells) == ["GATE"]
    assert library.wire_ff(1) == 2000


def test_files_must_agree(tmp_path: Path) -> None:
    first = write(tmp_path, SMALL)
    second = write(tmp_path, SMALL.replace("10ps", "1ns"), "other.lib")
    with pytest.raises(InputError, match=r"other.lib: time_ps is 1000, but 10 in .*small.lib"):
        read_liberty(first, second)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("library (a) {\n x : 1;\n", r"line 1: group library \(a\) is never closed"),
        ("library (a) {\n cell (B) {\n  area : 1;\n}", r"line 1: group library \(a\) is never closed"),
        ("library (a) {\n}\n}", "line 3: a closing brace without a group"),
        ("library (a) {\n area : ;\n}", "line 2: attribute 'area' has no value"),
        ('library (a) {\n\n values ("1, 2;\n}', "line 3: the arguments of 'values' are never closed"),
        ("library (a) {\n 100%;\n}", "line 2: expected an attribute or a group, found '100%;'"),
        ("cell (a) { }", r"line 1: expected one group library"),
        ("", "line 1: expected one group library"),
        ("PK\x03\x04 not text", "line 1: expected an attribute or a group"),
    ],
)
def test_malformed_names_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=rf"small\.lib, {problem}"):
        read_liberty(write(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"10ps"', '"10 minutes"', "time_unit is '10 minutes'; accepted is a number and a unit, like 1ns"),
        ("nom_voltage : 0.8", "nom_voltage : NaN", "'nom_voltage' .* is 'NaN'; a finite number"),
        ("  time_unit", "  other_unit", "has no attribute 'time_unit'"),
    ],
)
def test_bad_header(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in SMALL
    with pytest.raises(InputError, match=problem):
        read_liberty(write(tmp_path, SMALL.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"3, 4, 6"', '"3, 4"', r"cell_rise \(grid\) is not a grid"),
        ('"3, 4, 6"', '"3, 4, x"', r"'values' of cell_rise \(grid\) is 'x'; a finite number"),
        ('("10, 20, 40")', '("10, 40, 20")', r"cell_rise \(grid\) is not a grid"),
        ("cell_rise (grid)", "cell_rise (gird)", "unknown table template 'gird'; did you mean grid"),
    ],
)
def test_bad_table(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in SMALL
    library = read_liberty(write(tmp_path, SMALL.replace(old, new)))
    with pytest.raises(InputError, match=problem):
        library.lookup(tables(library)["cell_rise"], slew_ps=15, load_ff=3e4)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs at least one file"):
        read_liberty()
    with pytest.raises(InputError, match=r"missing\.lib: cannot be read"):
        read_liberty(tmp_path / "missing.lib")
    damaged = tmp_path / "damaged.lib.gz"
    whole = gzip.compress(SMALL.encode())
    for data in (whole[:-20], whole[:20] + bytes(40) + whole[60:]):
        damaged.write_bytes(data)
        with pytest.raises(InputError, match=r"damaged\.lib\.gz: cannot be read"):
            read_liberty(damaged)


def test_deep_nesting_is_no_recursion(tmp_path: Path) -> None:
    depth = 5000
    with pytest.raises(InputError, match="has no attribute"):
        read_liberty(write(tmp_path, "library (a) {" + "g () {" * depth + "}" * depth + "}"))


def test_nangate(nangate: Library) -> None:
    assert (nangate.name, nangate.voltage, len(nangate.cells)) == ("NangateOpenCellLibrary", 1.1, 135)
    assert (nangate.time_ps, nangate.load_ff, nangate.energy_fj, nangate.leakage_uw) == (1000, 1, 1, 0.001)
    assert nangate.wire_ff(2) == pytest.approx(0.1774 * 3.9394)
    adder = nangate.cells["FA_X1"]
    assert adder.number("area") == 4.256
    carry = next(pin for pin in adder.all("pin") if pin.name == "CO")
    arc = carry.all("timing")[0]
    (fall,) = arc.all("cell_fall")
    # a grid point of the file, and the middle of a cell of the grid
    assert nangate.lookup(fall, slew_ps=17.1859, load_ff=3.75747) == pytest.approx(0.081084)
    middle = np.mean([0.081084, 0.089947, 0.091761, 0.100608])
    slew, load = 1000 * (0.0171859 + 0.0409838) / 2, (3.75747 + 7.51495) / 2
    assert nangate.lookup(fall, slew_ps=slew, load_ff=load) == pytest.approx(middle)
