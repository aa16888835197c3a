from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from circuits import CELLS, GATES, circuit
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.calibration.glitches import Toggles, toggles
from hwexplore.calibration.logic import function
from hwexplore.calibration.netlist import Netlist
from hwexplore.calibration.simulation import Transition
from hwexplore.calibration.timing import Timing, analyse


def settled(netlist: Netlist, inputs: dict[int, int], ones: int) -> tuple[int, ...]:
    values = [0, ones] + [0] * (netlist.nets - 2)
    for net, value in inputs.items():
        values[net] = value
    for gate in netlist.gates:
        for truth, net in zip(gate.cell.truth, gate.outputs, strict=True):
            if net is not None:
                values[net] = function(truth)(ones, *(values[i] for i in gate.inputs))
    return tuple(values)


def between(netlist: Netlist, before: dict[int, int], after: dict[int, int], streams: int = 1) -> Transition:
    ones = (1 << streams) - 1
    return Transition(settled(netlist, before, ones), settled(netlist, after, ones), streams)


def counted(netlist: Netlist, before: dict[int, int], after: dict[int, int]) -> Toggles:
    return toggles(netlist, CELLS, analyse(netlist, CELLS), between(netlist, before, after), step_ps=1.0)


def event_driven(netlist: Netlist, timing: Timing, before: tuple[int, ...], changes: dict[int, int]) -> dict[int, int]:
    """Transitions of each net, one event after the other: an output changes once its function has kept a new value for
    its smallest delay; what the delays of its inputs have above that is transported."""
    outputs = [
        (gate.cell.truth[k], gate.inputs, [round(d) for d in timing.delays_ps[number][k]], net)
        for number, gate in enumerate(netlist.gates)
        for k, net in enumerate(gate.outputs)
        if net is not None
    ]
    seen = [[before[i] for i in inputs] for _, inputs, _, _ in outputs]
    values, scheduled = list(before), {}
    queue = [(0, "1 change", net, value) for net, value in changes.items()]
    heapq.heapify(queue)
    counts: dict[int, int] = defaultdict(int)
    while queue:
        now, touched = queue[0][0], set()
        while queue and queue[0][0] == now:
            _, kind, which, value = heapq.heappop(queue)
            if kind == "2 seen":
                number, pin = which
                seen[number][pin] = value
                touched.add(number)
                continue
            if isinstance(which, tuple):
                (number,) = which
                if scheduled.get(number) != (now, value):
                    continue
                del scheduled[number]
                which = outputs[number][3]
            if values[which] == value:
                continue
            values[which] = value
            counts[which] += 1
            for number, (_, inputs, delays, _) in enumerate(outputs):
                inertia = min(delay for i, delay in zip(inputs, delays, strict=True) if i > 1)
                for pin, (i, delay) in enumerate(zip(inputs, delays, strict=True)):
                    if i == which:
                        heapq.heappush(queue, (now + delay - inertia, "2 seen", (number, pin), value))
        for number in touched:
            truth, inputs, delays, net = outputs[number]
            inertia = min(delay for i, delay in zip(inputs, delays, strict=True) if i > 1)
            value = int(truth[int("".join(map(str, seen[number])), 2)])
            if number in scheduled and scheduled[number][1] != value:
                del scheduled[number]
            elif number not in scheduled and value != values[net]:
                scheduled[number] = (now + inertia, value)
                heapq.heappush(queue, (now + inertia, "1 change", (number,), value))
    return counts


STREAMS = 8


@st.composite
def timed_circuits(draw: st.DrawFn) -> tuple[Netlist, Timing, dict[int, int], dict[int, int]]:
    count = draw(st.integers(1, 4))
    inputs = range(2, 2 + count)
    net, cells, delays = 2 + count, [], []
    for _ in range(draw(st.integers(1, 14))):
        cell = draw(st.sampled_from(GATES))
        reads = [draw(st.integers(2, net - 1))] + [draw(st.integers(0, net - 1)) for _ in cell.inputs[1:]]
        cells.append((cell.name, reads, range(net, net + len(cell.outputs))))
        delays.append(tuple(tuple(float(draw(st.integers(1, 7))) for _ in reads) for _ in cell.outputs))
        net += len(cell.outputs)
    netlist = circuit({"x": tuple(inputs)}, {}, *cells)
    words = st.integers(0, 2**STREAMS - 1)
    before, after = ({i: draw(words) for i in inputs} for _ in range(2))
    return netlist, Timing(0.0, ((0.0, 0.0),) * net, tuple(delays)), before, after


@settings(max_examples=100, deadline=None)
@given(timed_circuits())
def test_transitions_are_those_of_an_event_driven_simulation(
    case: tuple[Netlist, Timing, dict[int, int], dict[int, int]],
) -> None:
    netlist, timing, before, after = case
    transition = between(netlist, before, after, STREAMS)
    found = toggles(netlist, CELLS, timing, transition, step_ps=1.0)
    expected = np.zeros(netlist.nets)
    for stream in range(STREAMS):
        start = tuple(value >> stream & 1 for value in transition.before)
        changes = {net: value >> stream & 1 for net, value in after.items()}
        for net, count in event_driven(netlist, timing, start, changes).items():
            expected[net] += count
    np.testing.assert_array_equal((found.useful + found.glitch) * STREAMS, expected)
    assert (found.glitch >= 0).all()
    assert not (found.glitch * STREAMS % 2).any()


def test_an_inverter_toggles_once() -> None:
    found = counted(circuit({"x": (2,)}, {"y": (3,)}, ("inv", (2,), (3,))), {2: 0}, {2: 1})
    assert found.useful.tolist() == [0, 0, 1, 1]
    assert not found.glitch.any()


def test_a_late_complement_makes_a_glitch() -> None:
    """x or not x is 1, but for the delay of the inverter after a fall of x."""
    netlist = circuit({"x": (2,)}, {"y": (4,)}, ("inv", (2,), (3,)), ("or", (2, 3), (4,)))
    assert counted(netlist, {2: 1}, {2: 0}).glitch.tolist() == [0, 0, 0, 0, 2]
    assert counted(netlist, {2: 0}, {2: 1}).glitch.tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(("delay_ps", "glitch"), [(5.0, 2), (20.0, 0)])
def test_pulses_shorter_than_the_delay_of_a_gate_vanish(delay_ps: float, glitch: int) -> None:
    netlist = circuit({"x": (2,)}, {"y": (4,)}, ("inv", (2,), (3,)), ("xor", (2, 3), (4,)))
    timing = replace(analyse(netlist, CELLS), delays_ps=(((10.0,),), ((delay_ps, delay_ps),)))
    found = toggles(netlist, CELLS, timing, between(netlist, {2: 0}, {2: 1}), step_ps=1.0)
    assert found.glitch[4] == glitch


def test_a_ripple_adder_of_0111_and_0001() -> None:
    """The carry takes back sum bits 1 and 2, which were 1 in the meantime; only bit 3 ends up different."""
    adders = [("fa", (2 + i, 6 + i, 9 + 2 * i if i else 0), (10 + 2 * i, 11 + 2 * i)) for i in range(4)]
    netlist = circuit({"a": (2, 3, 4, 5), "b": (6, 7, 8, 9)}, {}, *adders)
    sums, carries = [10, 12, 14, 16], [11, 13, 15, 17]
    found = counted(netlist, dict.fromkeys(range(2, 10), 0), {net: int(net in (2, 3, 4, 6)) for net in range(2, 10)})
    assert found.useful[sums].tolist() == [0, 0, 0, 1]
    assert found.glitch[sums].tolist() == [0, 2, 2, 0]
    assert found.useful[carries].tolist() == [1, 1, 1, 0]
    assert not found.glitch[carries].any()


def test_registers_and_inputs_switch_together_after_the_clock() -> None:
    """Both are behind a flip-flop of the same delay, so that a gate that compares them sees no pulse."""
    netlist = circuit({"clk": (2,), "x": (3,)}, {"y": (5,)}, ("dff", (2, 3), (4, None)), ("xor", (3, 4), (5,)))
    found = toggles(netlist, CELLS, analyse(netlist, CELLS), Transition((0, 1, 0, 0, 0, 0), (0, 1, 0, 1, 1, 0), 1))
    assert found.useful.tolist() == [0, 0, 0, 1, 1, 0]
    assert not found.glitch.any()
