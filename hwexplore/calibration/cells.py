"""Standard cells as timing and power analysis use them: functions, arcs and tables in our units, nothing else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hwexplore.calibration.boolean import evaluate
from hwexplore.calibration.cell_groups import inputs_of, leakage_uw, outputs_of, truth_table
from hwexplore.calibration.liberty import Group, Library
from hwexplore.errors import InputError, unknown

__all__ = ["Arc", "Cell", "Cells", "FlipFlop", "Table", "compile_cells"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """A quantity over input slew [ps] and output load [fF]: bilinear, continued linearly beyond its ends."""

    slews: tuple[float, ...]
    loads: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def __call__(self, slew_ps: float, load_ff: float) -> float:
        slews, loads, values = self.slews, self.loads, self.values
        if len(slews) == 1:
            return _between(loads, values[0], load_ff)
        i = min(max(bisect_right(slews, slew_ps), 1), len(slews) - 1)
        low, high = _between(loads, values[i - 1], load_ff), _between(loads, values[i], load_ff)
        return low + (high - low) * (slew_ps - slews[i - 1]) / (slews[i] - slews[i - 1])


def _between(points: tuple[float, ...], values: tuple[float, ...], at: float) -> float:
    if len(points) == 1:
        return values[0]
    i = min(max(bisect_right(points, at), 1), len(points) - 1)
    return values[i - 1] + (values[i] - values[i - 1]) * (at - points[i - 1]) / (points[i] - points[i - 1])


@dataclass(frozen=True)
class Arc:
    """From an edge of input number ``input`` to the edges of output number ``output`` of a cell.

    ``delay`` and ``transition`` are those of the output's rise and fall; ``inverting``: the input falls for a rise.
    """

    input: int
    output: int
    inverting: bool
    delay: tuple[Table, Table]
    transition: tuple[Table, Table]


@dataclass(frozen=True)
class FlipFlop:
    """What a flip-flop adds to a cell: ``inverted`` stores the complement of data at the output.

    ``setup_ps`` is at the clock's slew, a table over the data's slew; ``clock_fj`` is one clock cycle without a change,
    ``toggle_fj`` what a cycle costs more in which data and output change once, both without the charge of loads;
    ``idle_pins`` are the asynchronous inputs and the level at which they do nothing.
    """

    clock: int
    data: int
    inverted: tuple[bool, ...]
    setup_ps: Table
    clock_fj: float
    toggle_fj: float
    idle_pins: tuple[tuple[int, bool], ...] = ()


@dataclass(frozen=True)
class Cell:
    """One cell. ``truth`` has a value of each output for each combination of the inputs, the first input slowest.

    ``internal_fj`` is the internal energy of one transition of an output, mean of both edges, all arcs and states.
    """

    name: str
    area_um2: float
    leakage_uw: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_ff: tuple[float, ...]
    truth: tuple[tuple[bool, ...], ...]
    arcs: tuple[Arc, ...]
    internal_fj: tuple[Table, ...]
    flip_flop: FlipFlop | None = None


@dataclass(frozen=True)
class Cells:
    """The usable cells of a library, its supply voltage, and the wire capacitance that a fanout means."""

    name: str
    voltage: float
    temperature_c: float
    cells: dict[str, Cell]
    wire_ff_by_fanout: tuple[float, ...]
    clock_slew_ps: float
    port_load_ff: float
    """What the register in front of a port drives itself: two NAND inputs and their wire."""

    def __getitem__(self, name: str) -> Cell:
        if name not in self.cells:
            raise unknown(f"cell of {self.name}", name, self.cells)
        return self.cells[name]

    @property
    def smallest_flip_flop(self) -> Cell:
        """The flip-flop of least area: the one that synthesis uses."""
        return min((cell for cell in self.cells.values() if cell.flip_flop), key=lambda cell: cell.area_um2)

    def wire_ff(self, fanout: int) -> float:
        """Capacitance of the wire of a net with this fanout; the model's last point for larger ones, in proportion."""
        table = self.wire_ff_by_fanout
        if fanout < len(table):
            return table[fanout]
        return table[-1] * fanout / (len(table) - 1)


def compile_cells(library: Library, avoid: Sequence[str] = ()) -> Cells:
    """The combinational cells and flip-flops of ``library`` that may be used and are characterised.

    Arcs of one input, output and sense that differ by the state of other inputs become one, the slowest of them.
    Cells whose names match a pattern of ``avoid`` (as in shells) count as not to be used. The slew of the clock is the
    one inside a long chain of NAND gates, each driving two more.
    """
    usable = [
        cell
        for cell in library.cells.values()
        if _is_usable(cell) and not any(fnmatch(cell.name, pattern) for pattern in avoid)
    ]
    compiled = {cell.name: _combinational(library, cell) for cell in usable if not cell.all("ff")}
    wire = _wire(library)
    slew_ps, load_ff = _operating_point(library.name, compiled, wire[min(2, len(wire) - 1)])
    for cell in usable:
        if cell.all("ff") and (found := _flip_flop(library, cell, slew_ps)) is not None:
            compiled[cell.name] = found
    if not any(cell.flip_flop for cell in compiled.values()):
        raise InputError(f"library {library.name} has no characterised flip-flop")
    return Cells(
        name=library.name,
        voltage=library.voltage,
        temperature_c=library.temperature_c,
        cells=compiled,
        wire_ff_by_fanout=wire,
        clock_slew_ps=slew_ps,
        port_load_ff=load_ff,
    )


def _is_usable(cell: Group) -> bool:
    outputs = outputs_of(cell)
    return (
        bool(outputs)
        and cell.text("dont_use", "false") != "true"
        and not any(cell.all(kind) for kind in ("latch", "statetable"))
        and all(pin.all("timing") and pin.all("internal_power") for pin in outputs)
        and all(pin.text("function", "") and not pin.text("three_state", "") for pin in outputs)
    )


def _operating_point(library: str, cells: dict[str, Cell], wire_ff: float) -> tuple[float, float]:
    """Slew and load inside a long chain of NAND gates that each drive two."""
    gates = [cell for cell in cells.values() if cell.truth == ((True, True, True, False),)]
    if not gates:
        raise InputError(f"library {library} has no characterised 2-input NAND gate")
    gate = min(gates, key=lambda cell: cell.area_um2)
    load_ff = 2 * fmean(gate.input_ff) + wire_ff
    slew_ps = 0.0
    for _ in range(20):
        slew_ps = fmean(table(slew_ps, load_ff) for arc in gate.arcs for table in arc.transition)
    return slew_ps, load_ff


def _wire(library: Library) -> tuple[float, ...]:
    if not library.default_wire_load:
        return (0.0, 0.0)
    model = library.wire_loads[library.default_wire_load].numbers("fanout_length")
    most = int(model[::2].max())
    first = int(model[::2].min())
    return (0.0, *(library.wire_ff(max(fanout, first)) for fanout in range(1, most + 1)))


def _common(library: Library, cell: Group) -> dict[str, object]:
    inputs = inputs_of(cell)
    return {
        "name": cell.name,
        "area_um2": cell.number("area"),
        "leakage_uw": leakage_uw(library, cell),
        "inputs": tuple(pin.name for pin in inputs),
        "input_ff": tuple(pin.number("capacitance") * library.load_ff for pin in inputs),
    }


def _combinational(library: Library, cell: Group) -> Cell:
    common = _common(library, cell)
    names = [pin.name for pin in inputs_of(cell)]
    outputs = outputs_of(cell)
    arcs = [
        _arc(library, groups, names.index(pin_name), number, inverting)
        for number, pin in enumerate(outputs)
        for (pin_name, inverting), groups in _by_sense(pin).items()
        if pin_name in names  # some libraries time a full adder's sum from its own carry as well
    ]
    return Cell(
        **common,  # type: ignore[arg-type]
        outputs=tuple(pin.name for pin in outputs),
        truth=tuple(truth_table(pin.text("function"), names) for pin in outputs),
        arcs=tuple(arcs),
        internal_fj=tuple(_internal(library, pin.all("internal_power")) for pin in outputs),
    )


def _by_sense(pin: Group) -> dict[tuple[str, bool], list[Group]]:
    """The timing groups of an output by input and sense; those without a sense count for both."""
    found: dict[tuple[str, bool], list[Group]] = {}
    for group in pin.all("timing"):
        if group.text("timing_type", "combinational") != "combinational":
            continue
        sense = group.text("timing_sense", "non_unate")
        for inverting in (False, True):
            if sense in ("non_unate", "negative_unate" if inverting else "positive_unate"):
                found.setdefault((group.text("related_pin"), inverting), []).append(group)
    return found


def _arc(library: Library, groups: list[Group], number: int, output: int, inverting: bool) -> Arc:
    def slowest(kind: str) -> Table:
        return _merged(library, [group for arc in groups for group in arc.all(kind)], library.time_ps, worst=True)

    return Arc(
        number,
        output,
        inverting,
        delay=(slowest("cell_rise"), slowest("cell_fall")),
        transition=(slowest("rise_transition"), slowest("fall_transition")),
    )


def _merged(library: Library, groups: list[Group], unit: float, *, worst: bool) -> Table:
    """Several tables as one on the axes of the first: their maximum or their mean."""
    if not groups:
        raise InputError(f"library {library.name}: an arc has no table")
    tables = [_table(library, group, unit) for group in groups]
    first = tables[0]
    same = [table.values for table in tables if (table.slews, table.loads) == (first.slews, first.loads)]
    other = [
        tuple(tuple(table(slew, load) for load in first.loads) for slew in first.slews)
        for table in tables
        if (table.slews, table.loads) != (first.slews, first.loads)
    ]
    values = np.array(same + other)
    merged = values.max(axis=0) if worst else values.mean(axis=0)
    return Table(first.slews, first.loads, tuple(map(tuple, merged.tolist())))


def _table(library: Library, group: Group, unit: float) -> Table:
    values = group.numbers("values") * unit
    if values.size == 1:
        return Table((0.0,), (0.0,), ((float(values.item()),),))
    axes = list(library.axes(group).items())
    grid = values.reshape([axis.size for _, axis in axes])
    loads = next((i for i, (variable, _) in enumerate(axes) if "capacitance" in variable), None)
    if len(axes) == 1:
        points = tuple(axes[0][1].tolist())
        if loads == 0:
            return Table((0.0,), points, (tuple(grid.tolist()),))
        return Table(points, (0.0,), tuple((value,) for value in grid.tolist()))
    if loads == 0:
        axes, grid = axes[::-1], grid.T
    return Table(tuple(axes[0][1].tolist()), tuple(axes[1][1].tolist()), tuple(map(tuple, grid.tolist())))


def _internal(library: Library, groups: Iterable[Group]) -> Table:
    """Internal energy of one transition: groups of one input and state are supply rails, and add up."""
    events: dict[tuple[str, str], dict[str, int]] = {}
    tables: list[Group] = []
    for group in groups:
        key = (group.text("related_pin", ""), group.text("when", ""))
        for edge in ("rise_power", "fall_power"):
            events.setdefault(key, {}).setdefault(edge, 0)
            events[key][edge] += len(group.all(edge))
            tables += group.all(edge)
    transitions = sum(1 for edges in events.values() for count in edges.values() if count)
    mean = _merged(library, tables, library.energy_fj, worst=False)
    rails = len(tables) / transitions
    return Table(mean.slews, mean.loads, tuple(tuple(value * rails for value in row) for row in mean.values))


def _flip_flop(library: Library, cell: Group, clock_slew_ps: float) -> Cell | None:
    """A flip-flop that stores one input, or its complement, at the rising edge of another; None for any other."""
    common = _common(library, cell)
    (state,) = cell.all("ff")
    inputs = {pin.name: pin for pin in inputs_of(cell)}
    names = list(inputs)
    clock_name = state.text("clocked_on", "").strip("()")
    next_state = state.text("next_state", "").strip("()")
    data_name = next_state.strip("!'() ")
    if clock_name not in inputs or data_name not in inputs:
        return None
    complemented = next_state != data_name
    idle: dict[str, bool] = {}
    for kind in ("clear", "preset"):
        if expression := state.text(kind, ""):
            pin = expression.strip("!'() ")
            if pin not in inputs:
                return None
            idle[pin] = "!" in expression or "'" in expression
    if set(names) != {clock_name, data_name, *idle}:
        return None
    outputs = outputs_of(cell)
    stored, inverse = state.arguments
    inverted = tuple(evaluate(pin.text("function"), {stored: False, inverse: True}) != complemented for pin in outputs)

    def arcs(pin: Group, number: int) -> Iterable[Arc]:
        groups = [
            group
            for group in pin.all("timing")
            if group.text("related_pin") == clock_name and group.text("timing_type", "") == "rising_edge"
        ]
        yield _arc(library, groups, names.index(clock_name), number, False)

    clock, data = inputs[clock_name], inputs[data_name]
    setups = [
        table
        for arc in data.all("timing")
        if arc.text("timing_type", "") == "setup_rising"
        for kind in ("rise_constraint", "fall_constraint")
        for table in arc.all(kind)
    ]

    def hidden_fj(pin: Group, edge: str, *, changing: bool) -> float:
        """Internal energy of an input's edge with the clock low, mean over both stored values."""
        energies = []
        for value in (False, True):
            known = {clock_name: False, data_name: (value != changing) != complemented} | idle
            known |= {
                output.name: evaluate(output.text("function"), {stored: value, inverse: not value})
                for output in outputs
            }
            groups = [group for group in pin.all("internal_power") if evaluate(group.text("when", "1"), known)]
            tables = [_table(library, table, library.energy_fj) for group in groups for table in group.all(edge)]
            energies.append(sum(table(clock_slew_ps, 0.0) for table in tables))
        return fmean(energies)

    idle_fj = hidden_fj(clock, "rise_power", changing=False)
    extra_fj = hidden_fj(clock, "rise_power", changing=True) - idle_fj
    data_fj = fmean(hidden_fj(data, edge, changing=False) for edge in ("rise_power", "fall_power"))
    return Cell(
        **common,  # type: ignore[arg-type]
        outputs=tuple(pin.name for pin in outputs),
        truth=(),
        arcs=tuple(arc for number, pin in enumerate(outputs) for arc in arcs(pin, number)),
        internal_fj=tuple(
            _internal(library, [g for g in pin.all("internal_power") if g.text("related_pin", "") == clock_name])
            for pin in outputs
        ),
        flip_flop=FlipFlop(
            clock=names.index(clock_name),
            data=names.index(data_name),
            inverted=inverted,
            setup_ps=_setup(library, setups, clock_slew_ps),
            clock_fj=idle_fj + hidden_fj(clock, "fall_power", changing=False),
            toggle_fj=extra_fj + data_fj,
            idle_pins=tuple((names.index(pin), level) for pin, level in idle.items()),
        ),
    )


def _setup(library: Library, groups: list[Group], clock_slew_ps: float) -> Table:
    """The longest setup time over the data's slew, at the clock's slew."""
    if not groups:
        raise InputError(f"library {library.name}: a flip-flop has no setup time")
    rows = []
    for group in groups:
        values = group.numbers("values") * library.time_ps
        if values.size == 1:
            rows.append(Table((0.0,), (0.0,), ((float(values.item()),),)))
            continue
        points = library.axes(group)
        axes = list(points)
        grid = values.reshape([axis.size for axis in points.values()])
        if "related" in axes[0]:
            axes, grid = axes[::-1], grid.T
        slews, clocks = (tuple(points[variable].tolist()) for variable in axes)
        rows.append(
            Table(slews, (0.0,), tuple((_between(clocks, tuple(row), clock_slew_ps),) for row in grid.tolist()))
        )
    first = rows[0]
    return Table(first.slews, (0.0,), tuple((max(row(slew, 0.0) for row in rows),) for slew in first.slews))
