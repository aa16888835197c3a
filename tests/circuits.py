"""Cells with round numbers, and small circuits of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from hwexplore.calibration.cells import Arc, Cell, Cells, FlipFlop, Table
from hwexplore.calibration.netlist import Instance, Netlist


def flat(value: float) -> Table:
    return Table((0.0,), (0.0,), ((value,),))


def gate(name: str, inputs: int, *functions: Callable[..., int], delay: float = 10.0, slew: float = 4.0) -> Cell:
    """A cell with 1 fF at each input, 3 fJ inside per transition, the same delay of all arcs."""
    rows = list(product((0, 1), repeat=inputs))
    return Cell(
        name=name,
        area_um2=1.0,
        leakage_uw=0.25,
        inputs=tuple("abcdef"[:inputs]),
        outputs=tuple("yz"[: len(functions)]),
        input_ff=(1.0,) * inputs,
        truth=tuple(tuple(bool(function(*row)) for row in rows) for function in functions),
        arcs=tuple(
            Arc(i, output, inverting, delay=(flat(delay),) * 2, transition=(flat(slew),) * 2)
            for i in range(inputs)
            for output in range(len(functions))
            for inverting in (False, True)
        ),
        internal_fj=(flat(3.0),) * len(functions),
    )


DFF = Cell(
    name="dff",
    area_um2=5.0,
    leakage_uw=0.5,
    inputs=("c", "d"),
    outputs=("q", "qn"),
    input_ff=(1.5, 1.0),
    truth=(),
    arcs=tuple(Arc(0, output, False, (flat(20.0), flat(30.0)), (flat(4.0),) * 2) for output in (0, 1)),
    internal_fj=(flat(7.0), flat(2.0)),
    flip_flop=FlipFlop(clock=0, data=1, inverted=(False, True), setup_ps=flat(6.0), clock_fj=4.0, toggle_fj=5.0),
)

GATES = (
    gate("inv", 1, lambda a: not a),
    gate("nand", 2, lambda a, b: not (a and b)),
    gate("or", 2, lambda a, b: a or b),
    gate("xor", 2, lambda a, b: a ^ b),
    gate("mux", 3, lambda a, b, c: b if a else c),
    gate("fa", 3, lambda a, b, c: a ^ b ^ c, lambda a, b, c: a + b + c > 1),
    gate("ha", 2, lambda a, b: a ^ b, lambda a, b: a and b),
    gate("aoi", 4, lambda a, b, c, d: not ((a and b) or (c and d))),
)

CELLS = Cells(
    name="round",
    voltage=2.0,
    temperature_c=25.0,
    cells={cell.name: cell for cell in (*GATES, DFF)},
    wire_ff_by_fanout=(0.0, 0.5, 1.0),
    clock_slew_ps=4.0,
    port_load_ff=2.0,
)


def circuit(
    inputs: dict[str, tuple[int, ...]],
    outputs: dict[str, tuple[int, ...]],
    *cells: tuple[str, Sequence[int], Sequence[int | None]],
) -> Netlist:
    """A netlist of ``cells`` (name, inputs, outputs) in topological order."""
    instances = [Instance(CELLS[name], tuple(reads), tuple(drives)) for name, reads, drives in cells]
    nets = 1 + max(net for i in instances for net in (*i.inputs, *i.outputs) if net is not None)
    loads = [(0.0, 0)] * nets
    for instance in instances:
        for net, capacitance in zip(instance.inputs, instance.cell.input_ff, strict=True):
            loads[net] = (loads[net][0] + capacitance, loads[net][1] + 1)
    return Netlist(
        inputs=inputs,
        outputs=outputs,
        gates=tuple(i for i in instances if i.cell.flip_flop is None),
        flip_flops=tuple(i for i in instances if i.cell.flip_flop),
        nets=nets,
        loads=tuple(loads),
    )
