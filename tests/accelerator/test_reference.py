"""The tile model against itself written once more: one design, one operator at a time, in plain floats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import ceil, floor, inf, sqrt
from typing import Any

import numpy as np
import pytest

from hwexplore import technology as technologies
from hwexplore import workloads
from hwexplore.accelerator import REASONS, Choices, Evaluator, Model
from hwexplore.formats import Format, Integer
from hwexplore.pe import PE
from hwexplore.search import Space
from hwexplore.technology import Technology
from hwexplore.workloads import OperandFormat, Policy, Workload

CHOICES: dict[str, list[Any]] = {
    "pe": [
        "mac(int4, int8, acc=int24 sat)",
        "mac(int8, int8, acc=int32)",
        "dot(int4, int8, lanes=16, acc=int32)",
        "dot(int8_g32, int8_g32, lanes=8)",
        "bit_serial(int4, int8, lanes=16, acc=int32)",
        "lut(int4, int8, m=2, n=3, k=4)",
        "multi(int8, int8, acc=int32)",
    ],
    "rows": [1, 4, 48],
    "cols": [16, 100, 1024],
    "dataflow": ["os", "ws", "is"],
    "clock_mhz": [200, "max", 5000],
    "voltage": [0.7, 1.1],
    "vector_lanes": [16, 300],
    "sram_kib": [64, 300, 4096],
    "dram": ["ddr4-3200", "hbm2"],
    "channels": [1, 8],
    "policy": [
        "int8_channel/int8/int8",
        "int4_g128/int8/int4",
        "int4/int4/int4",
        "int3_g128>int8/int8/fp16",
        "int4_g128>int8@dram/fp16>int8/int8",
        "int4_g128/int8/int8;lm_head=fp16//;attention=/int8_g32/",
        "int8_g32@pe/int8_g32@pe/int8_g32@pe",
    ],
}


@dataclass
class PricedPe:
    period_s: float
    core_um2: float
    cycle_pj: dict[str, float]
    """By mode, the clock left out."""
    clock_pj: float
    leakage_uw: float


@cache
def priced(pe: PE, clock_mhz: float | str, node: str, voltage: float) -> PricedPe | None:
    """The core of ``pe``, or None where it cannot reach the clock."""
    technology = technologies.load(node).at(voltage)
    fastest_ps = pe.fastest_period_ps(technology)
    period_ps = fastest_ps if clock_mhz == "max" else 1e6 / float(clock_mhz)
    if period_ps < fastest_ps:
        return None
    core = pe.cost(technology, period_ps=period_ps)
    cycle_pj = {}
    for mode in pe.modes or ("",):
        cost = pe.cost(technology, period_ps=period_ps, mode=mode or None)
        cycle_pj[mode] = (cost.energy_pj.mid - cost.clock_pj.mid) * cost.macs_per_cycle
    return PricedPe(
        period_s=period_ps * 1e-12,
        core_um2=core.area_um2.mid,
        cycle_pj=cycle_pj,
        clock_pj=core.clock_pj.mid * pe.macs_per_cycle,
        leakage_uw=core.leakage_uw.mid,
    )


def mode_for(pe: PE, weight: Format, activation: Format, k: int) -> str | None:
    """The mode with most products a cycle that accepts a product; "" for a PE without modes, None if it is refused."""
    modes = {mode: pe.in_mode(mode) for mode in pe.modes} or {"": pe}
    accepting = [mode for mode, one in modes.items() if one.accepts(weight, activation, k)]
    return max(accepting, key=lambda mode: modes[mode].macs_per_cycle, default=None)


def port_data(pe: PE) -> tuple[float, float]:
    """Bits of activations and weights that come to the ports of ``pe`` in a cycle."""
    times_a, times_w = (4, 8) if pe.family == "bit_serial" else (1, 1)
    tile = pe.tile
    return tuple(
        times * step * tile.k * (format.element_bits + (16 / 32 if format.block else 0)) / tile.cycles
        for times, step, format in ((times_a, tile.m, pe.activation), (times_w, tile.n, pe.weight))
    )


def quantized(storage: Any) -> bool:
    return isinstance(storage.element, Integer) or storage.element_bits < 16


def scale_ops(operand: OperandFormat, k: float) -> float:
    """Vector operations per output that an operand's scales take."""
    if operand.dequantize == "group":
        return 2 * ceil(k / operand.storage.block)
    if operand.dequantize == "pe":
        return 0
    return 1 if quantized(operand.storage) else 0


@cache
def least_traffic(a: float, b: float, sums: float, sides: tuple[tuple[float, float, float], ...], half: float) -> float:
    """Bytes of A, B and partial sums that a product moves, the best of all tilings into ``half`` of the buffer.

    ``sides`` are dimension, unit and buffer bytes per element of the operand that lacks the dimension, of n, m and k.
    """
    again, best = (a, b, 2 * sums), inf
    for first, second, streamed in permutations(range(3)):
        (size, unit, beside), (other, step, across), (length, least, width) = (
            sides[at] for at in (first, second, streamed)
        )
        least, most = min(least, length), ceil(size / unit)
        for tiles in sorted({ceil(most / ceil(most / number)) for number in range(1, most + 1)}):
            tile = min(ceil(most / tiles) * unit, size)
            room = (half - tile * least * across) / (tile * width + least * beside)
            if room >= min(step, other):
                longest = other if room >= other else room // step * step
                moved = again[first] * (tiles - 1) + again[second] * (ceil(other / longest) - 1)
                best = min(best, moved)
            if again[first] * tiles >= best:
                break
    return a + b + best


def reference(
    workload: Workload, technology: Technology, design: dict[str, Any], mapped: list[tuple[float, ...]]
) -> tuple[float, float, float, str]:
    """Latency in s, energy in J, area in mm2 and what makes the design infeasible.

    Of several tilings with the least traffic, the one that was taken, ``mapped``, tells how often each fold is set up,
    and how often A and B move.
    """
    rows, cols, lanes, dataflow = (design[name] for name in ("rows", "cols", "vector_lanes", "dataflow"))
    policy, pe, dram = Policy.parse(design["policy"]), PE.parse(design["pe"]), technology.dram(design["dram"])
    core = priced(pe, design["clock_mhz"], technology.name, design["voltage"])
    if core is None:
        return inf, inf, inf, "the PE cannot reach the clock"

    node = technology.at(design["voltage"])
    flip_flop, wire_pj = node.primitives["flip_flop"], node.wire_pj_per_bit_mm
    tile = pe.tile
    sums = 0 if dataflow == "os" else 2 * cols * tile.m * tile.n * pe.accumulator_bits / tile.cycles
    data = [port_data(pe.in_mode(mode)) for mode in pe.modes] or [port_data(pe)]
    row_bits, col_bits = max(a for a, _ in data), max(w for _, w in data)
    port = max(rows * row_bits + cols * col_bits + sums, 32 * lanes)
    a_port = sum(bits for name, bits in pe.ports.items() if name.startswith("activation"))
    w_port = sum(bits for name, bits in pe.ports.items() if not name.startswith(("activation", "mode")))
    held_a, held_w = tile.m * tile.k, tile.n * tile.k
    if pe.family == "multi":
        held_a = held_w = 0
    held_a *= pe.activation.element_bits + (0.5 if pe.activation.block else 0)
    held_w *= pe.weight.element_bits + (0.5 if pe.weight.block else 0)
    register_bits = {
        "os": a_port + w_port,
        "ws": a_port + max(w_port, round(held_w)),
        "is": max(a_port, round(held_a)) + w_port,
    }[dataflow]
    pitch_mm = sqrt(core.core_um2 + register_bits * flip_flop.area_um2) / 1000
    edge_bits = rows * a_port + cols * w_port + sums
    size, law = 1024 * design["sram_kib"], technology.sram_law
    banks = max(ceil(port / 64), ceil(size / law.size_bytes[1]))
    if size / banks < law.size_bytes[0]:
        return inf, inf, inf, "the buffer is too small for the banks that feed array and vector unit"
    if float(law("access_ns", size / banks, 64)) * 1e-9 > core.period_s:
        return inf, inf, inf, "the buffer's banks are slower than the clock"
    read, write = (float(law(name, size / banks, 64)) / 64 for name in ("read_pj", "write_pj"))

    array_um2 = rows * cols * (core.core_um2 + register_bits * flip_flop.area_um2)
    buffer_um2 = banks * float(law("area_um2", size / banks, 64))
    move_pj = technology.wire_pj_per_bit_mm * (sqrt(array_um2) + sqrt(buffer_um2)) / 2 / 1000
    latency = picojoules = weight_bytes = cache_bytes = 0.0
    fits = True
    for op, (_, times_set_up, *moves) in zip(workload.operators, mapped, strict=True):
        operands = policy.operands(op)
        operand_a, operand_b = (
            operands.activations,
            operands.kv_cache if op.kind == "attention" else operands.weights,
        )
        byte_a, byte_w, byte_kv = (
            operand.storage.packed_bits() / 8 for operand in (operand_a, operands.weights, operands.kv_cache)
        )
        a, c = op.activation_elements * byte_a, op.output_elements * byte_a
        b, kv = op.weight_elements * byte_w, op.kv_elements * byte_kv
        weight_bytes += op.count * b
        written = op.output_elements * quantized(operand_a.storage)
        cached = 0 if op.kind == "attention" else op.kv_elements * quantized(operands.kv_cache.storage)
        vector = op.vector_ops + 3 * (written + cached)
        waiting = 16 * (
            written * (operand_a.storage.block is None) + cached * (operands.kv_cache.storage.block is None)
        )
        if op.kind == "attention":
            b += kv
            cache_bytes += op.count * kv
        else:
            c += kv
        array_cycles = array_pj = 0.0
        moved = a + b + c
        if not op.is_gemm:
            vector += op.activation_elements * quantized(operand_a.storage)
            read_bits, written_bits = 8 * (a + b), 0.0
        else:
            given = [
                operand.storage if operand.dequantize == "pe" else operand.compute for operand in (operand_b, operand_a)
            ]
            mode = mode_for(pe, given[0], given[1], op.k)
            unit = pe.in_mode(mode) if mode else pe
            elements = (operand_a, op.batch * op.m * op.k), (operand_b, op.batch * op.n * op.k)
            bits_a, bits_b = (
                (operand.compute if operand.dequantize == "dram" else operand.storage).packed_bits()
                for operand in (operand_a, operand_b)
            )
            on_side = {"os": (rows, cols, 1), "ws": (1, cols, rows), "is": (cols, 1, rows)}[dataflow]
            unit_m, unit_n, unit_k = (1, lanes, 1) if mode is None else np.multiply(on_side, unit.tile[:3]).tolist()
            held_b = op.kv_elements if op.kind == "attention" else op.weight_elements
            sum_bytes = pe.accumulator_bits / 8
            tokens, width_a, width_b = (
                ceil(op.m),
                bits_a / 8 * op.activation_elements / elements[0][1],
                bits_b / 8 * held_b / elements[1][1],
            )
            skew = 0 if dataflow == "os" else (tile.cycles - 1) * (2 * rows - 1)
            setup = 2 * rows + cols - 2 + skew + unit.latency_cycles - 1
            if mode is not None:
                least_m, least_n, least_k = min(unit_m, tokens), min(unit_n, op.n), min(unit_k, op.k)
                parts = {
                    "a": least_m * least_k * width_a,
                    "b": least_k * least_n * width_b,
                    "c": least_m * least_n * sum_bytes,
                }
                held, moving = {"os": ("c", "ab"), "ws": ("b", "ac"), "is": ("a", "bc")}[dataflow]
                room = floor((size / 2 - parts[held]) / sum(parts[name] for name in moving))
                steps = max(min(room, ceil(16 * setup / tile.cycles)), 1)
                unit_k *= steps if dataflow == "os" else 1
                unit_m *= steps if dataflow == "ws" else 1
                unit_n *= steps if dataflow == "is" else 1
            sides = (
                (op.n, unit_n, width_a),
                (tokens, unit_m, width_b),
                (op.k, unit_k, sum_bytes),
            )
            moved = c + least_traffic(a, b, op.batch * op.m * op.n * sum_bytes, sides, size / 2)
            fits &= moved < inf
            written_bits = read_bits = 0.0
            if mode is not None:
                m, n, k = (ceil(size / step) for size, step in ((op.m, tile.m), (op.n, tile.n), (op.k, unit.tile.k)))
                on_rows, on_cols, streamed = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
                down, across = ceil(on_rows / rows), ceil(on_cols / cols)
                array_cycles = op.batch * down * across * (times_set_up * setup + tile.cycles * streamed)
                times_a, times_b = {"os": (across, down), "ws": (across, 1), "is": (1, across)}[dataflow]
                vector += op.batch * op.m * op.n * max(scale_ops(operand_a, op.k), scale_ops(operand_b, op.k))
                for (operand, number), times, moved_times in zip(elements, (times_a, times_b), moves, strict=True):
                    vector += number * {"dram": moved_times, "edge": times}.get(operand.dequantize, 0)
                if pe.family == "bit_serial":
                    times_a, times_b = 4 * times_a, 8 * times_b
                times_c = times_set_up if dataflow == "os" else down
                partial_bits = op.batch * op.m * op.n * pe.accumulator_bits
                written_bits, read_bits = times_c * partial_bits, (times_c - 1) * partial_bits
                data_a, data_w = port_data(unit)
                passing = sum(pe.outputs.values()) / tile.cycles
                through, over = {
                    "os": (data_a + data_w, data_a + data_w),
                    "ws": (data_a, data_a + passing),
                    "is": (data_w, data_w + passing),
                }[dataflow]
                per_cycle = core.cycle_pj[mode] + through * flip_flop.energy_pj / 2 + over * wire_pj * pitch_mm
                array_pj = op.macs / unit.macs_per_cycle * per_cycle + array_cycles * (
                    rows * cols * (core.clock_pj + register_bits * flip_flop.clock_pj) + edge_bits * flip_flop.clock_pj
                )
            else:
                vector += op.macs + sum(number for operand, number in elements if quantized(operand.storage))
                times_a, times_b = ceil(op.n / lanes), op.m
            read_bits += op.batch * op.k * (op.m * times_a * bits_a + op.n * times_b * bits_b)
        read_bits, written_bits = read_bits + waiting, written_bits + waiting + 8 * moved
        latency += op.count * max(
            array_cycles * core.period_s,
            vector / lanes * core.period_s,
            moved / (dram.bandwidth_bytes_per_s * design["channels"]),
        )
        picojoules += op.count * (
            array_pj
            + read_bits * (read + move_pj)
            + written_bits * (write + move_pj)
            + vector * node.vector_unit.energy_pj
            + 8 * moved * dram.energy_pj_per_bit
        )

    resident = weight_bytes * workload.parameters / workload.weight_elements + cache_bytes
    if resident > dram.capacity_bytes * design["channels"]:
        return inf, inf, inf, "the DRAM cannot hold weights and KV cache"
    if not fits:
        return inf, inf, inf, "the buffer is too small for any tile"
    register_uw = (rows * cols * register_bits + edge_bits) * flip_flop.leakage_uw
    static_w = (
        (rows * cols * core.leakage_uw + register_uw) * 1e-6
        + banks * float(law("leakage_mw", size / banks, 64)) * 1e-3
        + lanes * node.vector_unit.leakage_uw * 1e-6
        + design["channels"] * dram.static_w
    )
    area = (
        (array_um2 + edge_bits * flip_flop.area_um2 + buffer_um2) * 1e-6
        + lanes * node.vector_unit.area_um2 * 1e-6
        + design["channels"] * dram.area_mm2
    )
    return latency, picojoules * 1e-12 + latency * static_w, area, ""


@pytest.mark.parametrize("phase", ["decode", "prefill"])
@pytest.mark.parametrize("network", ["llama-2-7b", "mixtral-8x7b"])
def test_model_is_its_reference(network: str, phase: str, nangate45: Technology) -> None:
    workload = workloads.load(network, phase=phase, batch=3, context=777)
    space = Space(**CHOICES)
    ids = np.random.default_rng(0).choice(space.size, 400, replace=False)
    model = Model(workload, nangate45, Choices(CHOICES))
    found = Evaluator(model)(space.indices(ids))
    designs = space.values(ids)
    mapped = np.stack(model.mapper.mapped(space.indices(ids)), axis=-1).tolist()
    expected = [
        reference(workload, nangate45, {name: column[i] for name, column in designs.items()}, mapped[i])
        for i in range(len(ids))
    ]
    latency, energy, area, reason = zip(*expected, strict=True)
    assert [REASONS[code] for code in found["reason"]] == list(reason)
    assert sum(text == "" for text in reason) > 30
    for name, column in (("latency_s", latency), ("energy_j", energy), ("area_mm2", area)):
        np.testing.assert_allclose(found[name], column, rtol=1e-9)
