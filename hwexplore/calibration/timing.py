"""Static timing analysis of a mapped netlist with the non-linear delay tables of its cells."""

from __future__ import annotations

from dataclasses import dataclass

from hwexplore.calibration.cells import Arc, Cells
from hwexplore.calibration.netlist import Netlist

__all__ = ["Timing", "analyse"]

NEVER = float("-inf")


@dataclass(frozen=True)
class Timing:
    """``period_ps`` is the shortest clock period, setup included; ``slews_ps`` the slew of each net (rise, fall).

    ``delays_ps`` has, of each gate in the netlist's order, the mean delay from each input to each output
    (``delays_ps[gate][output][input]``), at its actual slew and load.
    """

    period_ps: float
    slews_ps: tuple[tuple[float, float], ...]
    delays_ps: tuple[tuple[tuple[float, ...], ...], ...]


def analyse(netlist: Netlist, cells: Cells) -> Timing:
    """The latest arrival of both edges at every net, register to register.

    Ports are driven by flip-flops: they arrive a clock-to-output delay after the clock, at the
    load of a register that has a buffer behind it. Outputs of the netlist are those of registers. Slews are the slowest
    of all arcs.
    """
    arrival = [[NEVER, NEVER] for _ in range(netlist.nets)]
    slew = [[0.0, 0.0] for _ in range(netlist.nets)]

    def launch(net: int, arcs: list[Arc], load: float) -> None:
        for arc in arcs:
            for edge in (0, 1):
                arrival[net][edge] = max(arrival[net][edge], arc.delay[edge](cells.clock_slew_ps, load))
                slew[net][edge] = max(slew[net][edge], arc.transition[edge](cells.clock_slew_ps, load))

    for flip_flop in netlist.flip_flops:
        for number, net in enumerate(flip_flop.outputs):
            if net is not None:
                arcs = [arc for arc in flip_flop.cell.arcs if arc.output == number]
                launch(net, arcs, netlist.load_ff(net, cells))
    arcs = [arc for arc in cells.smallest_flip_flop.arcs if arc.output == 0]
    for nets in netlist.inputs.values():
        for net in nets:
            if net != netlist.clock:
                launch(net, arcs, cells.port_load_ff)

    delays = []
    for gate in netlist.gates:
        loads = [0.0 if net is None else netlist.load_ff(net, cells) for net in gate.outputs]
        total = [[[0.0, 0] for _ in gate.inputs] for _ in gate.outputs]
        for arc in gate.cell.arcs:
            target = gate.outputs[arc.output]
            if target is None:
                continue
            source, load = gate.inputs[arc.input], loads[arc.output]
            for edge in (0, 1):
                cause = 1 - edge if arc.inverting else edge
                if arrival[source][cause] == NEVER:
                    continue
                in_slew = slew[source][cause]
                delay = arc.delay[edge](in_slew, load)
                mean = total[arc.output][arc.input]
                mean[0] += delay
                mean[1] += 1
                if (at := arrival[source][cause] + delay) > arrival[target][edge]:
                    arrival[target][edge] = at
                if (out_slew := arc.transition[edge](in_slew, load)) > slew[target][edge]:
                    slew[target][edge] = out_slew
        delays.append(tuple(tuple(max(s, 0.0) / n if n else 0.0 for s, n in row) for row in total))

    period = 0.0
    for flip_flop in netlist.flip_flops:
        state = flip_flop.cell.flip_flop
        assert state is not None
        data = flip_flop.inputs[state.data]
        latest = max(arrival[data])
        if latest > NEVER:
            period = max(period, latest + state.setup_ps(max(slew[data]), 0.0))
    return Timing(period, tuple((rise, fall) for rise, fall in slew), tuple(delays))
