"""Lower bounds of latency, energy and area over boxes of designs."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import by_dataflow
from hwexplore.accelerator.model import SRAM_WORD_BITS, Index, Model
from hwexplore.accelerator.pe_table import MM_PER_SQRT_UM2
from hwexplore.accelerator.roofline import Roofline

__all__ = ["ANY", "FIXED", "Bounds"]

Array = NDArray[np.float64]
Ends = dict[str, Array]

ANY = -1
"""Index of a parameter that a box leaves open: its members take every value."""
FIXED = ("policy", "pe", "dataflow")
"""Parameters that every box fixes."""
RANGES = ("rows", "cols", "vector_lanes", "sram_kib", "channels")
SLACK = 1 - 1e-12
"""Factor on what is computed in another order than the model does, against its rounding errors."""


class Bounds:
    """Lower bounds of what the tile model says of all members of boxes of designs.

    A box has an index for each parameter, or ``ANY`` where it is left open. Each term of the model is taken at those
    ends of the ranges of what it depends on where it is least:

    - Tables by clock, voltage and DRAM have their least over the values left open. Ports, registers, lanes and
      interfaces rise with rows, columns, lanes and channels; setting up a fold takes longer in a larger array.
    - Folds, and with them accesses and conversions, fall with rows and columns; the time of the vector unit falls with
      its lanes, that of DRAM with bandwidth.
    - A tiling moves every byte and sets up every fold at least once.
    - The clock runs for ``ceil(m / rows) ceil(n / cols)`` folds in ``rows cols`` PEs each, in all m n or more.
    - A buffer of 2^s bytes has as many banks as its ports and its size need, between the least and the most in the box.
      For 2^x banks, the logarithm of its energies is a quadratic P(s - x), that of its area and leakage x + P(s - x).
      A quadratic has its least value on an interval at an end or where it is stationary; P(s - x) rises with s where
      P does, else x and P(s - x) are bounded apart.

    Sums and products are taken in the model's order: rounding is monotonic, so that they stay bounds to the last bit.
    Where the order differs, ``SLACK`` makes up for it. Boxes of one design have its area to the bit, and its latency if
    every operator is one tile.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        numbers = {name: model.choices.numbers(name) for name in RANGES}
        self._low = {name: np.append(values, values.min()) for name, values in numbers.items()}
        self._high = {name: np.append(values, values.max()) for name, values in numbers.items()}
        pes = model.pes
        self._period_s = _with_least(pes.period_s, 1, 2)
        self._longest_s = -_with_least(-np.where(pes.reachable, pes.period_s, 0), 1, 2)
        per_pe = pes.core_um2, pes.register_um2, pes.clock_pj, pes.leakage_uw
        self._pe = _with_least(np.stack(per_pe), 3, 4)
        self._lane, self._edge = _with_least(model.lane, 1), _with_least(model.edge, 1)
        self._dram_most, self._dram_least = -_with_least(-model.dram[:2], 1), _with_least(model.dram[2:], 1)
        self._array_pj = _with_least(Roofline(model).array_pj, 3, 4)

    def __call__(self, box: Index) -> tuple[Array, Array, Array, NDArray[np.uint8]]:
        """Latency in s, energy in J, area in mm2, and a reason that all members have (or 0), arrays [box]."""
        low, high = ({name: values[box[name]] for name, values in ends.items()} for ends in (self._low, self._high))
        pe, clock, voltage, dataflow = (
            box["pe"],
            box["clock_mhz"],
            box["voltage"],
            self._model.dataflow[box["dataflow"]],
        )
        period_s = self._period_s[pe, clock, voltage]
        lane_um2, lane_pj, lane_uw = self._lane[:, voltage]
        edge_um2, edge_pj, edge_uw = self._edge[:, voltage]
        dram_pj, phy_mm2, dram_w = self._dram_least[:, box["dram"]]
        bandwidth, capacity = self._dram_most[:, box["dram"]] * high["channels"]

        instances = low["rows"] * low["cols"]
        core_um2, register_um2, clock_pj, leakage_uw = self._pe[:, pe, dataflow, clock, voltage]
        core_um2, register_um2 = instances * core_um2, instances * register_um2
        (ports, edge_bits), (most_ports, _) = (
            self._model.widths(pe, dataflow, ends["rows"], ends["cols"], ends["vector_lanes"]) for ends in (low, high)
        )
        buffer = self._buffer(low["sram_kib"] * 1024, high["sram_kib"] * 1024, ports, most_ports)
        area_mm2 = [
            core_um2 * 1e-6,
            (register_um2 + edge_um2 * edge_bits) * 1e-6,
            buffer["area_um2"] * 1e-6,
            low["vector_lanes"] * lane_um2 * 1e-6,
            phy_mm2 * low["channels"],
        ]
        static_w = (
            (instances * leakage_uw + edge_uw * edge_bits + low["vector_lanes"] * lane_uw) * 1e-6
            + buffer["leakage_mw"] * 1e-3
            + dram_w * low["channels"]
        )
        distance_mm = MM_PER_SQRT_UM2 * (np.sqrt(buffer["area_um2"]) + np.sqrt(core_um2 + register_um2)) / 2
        wire_pj = self._model.technology.wire_pj_per_bit_mm * distance_mm

        work, totals = self._work(box)
        seconds = work["busy"] * period_s[:, None]
        np.maximum(seconds, work["vector"] / high["vector_lanes"][:, None] * period_s[:, None], out=seconds)
        np.maximum(seconds, self._moved[box["policy"]] / bandwidth[:, None], out=seconds)
        latency = np.einsum("...o,o->...", seconds, self._model.operators.count)
        picojoules = (
            self._array_pj[box["policy"], pe, dataflow, clock, voltage]
            + totals["clocked"] * clock_pj
            + totals["busy"] * edge_pj * edge_bits
            + (totals["read"] + self._lane_reads[box["policy"], pe, box["vector_lanes"]])
            * (buffer["read_pj"] / SRAM_WORD_BITS + wire_pj)
            + totals["written"] * (buffer["write_pj"] / SRAM_WORD_BITS + wire_pj)
            + totals["vector"] * lane_pj
            + totals["moved"] * dram_pj
        )
        energy = SLACK * (picojoules * 1e-12 + latency * static_w)

        longest_s = self._longest_s[pe, clock, voltage]
        least_bank = self._model.technology.sram_law.size_bytes[0]
        reason = np.select(
            [
                longest_s == 0,
                buffer["bank_bytes"] < least_bank,
                SLACK * buffer["access_ns"] * 1e-9 > longest_s,
                capacity < self._model.operators.resident_bytes[box["policy"]],
            ],
            [1, 2, 3, 4],
        )
        return latency, energy, np.asarray(sum(area_mm2)), reason.astype(np.uint8)

    def _buffer(self, least: Array, most: Array, ports: Array, most_ports: Array) -> dict[str, Array]:
        """Area and leakage of buffers of ``least`` to ``most`` bytes and the access of a bank, and its largest size."""
        law = self._model.technology.sram_law
        fewest, banks = self._model.banks(ports, least), self._model.banks(most_ports, most)
        shortest, longest = least / banks, most / fewest
        inside = np.maximum(shortest, law.size_bytes[0]), np.maximum(longest, law.size_bytes[0])
        slack = np.where((fewest == banks) & (least == most), 1, SLACK)
        quantities = {"bank_bytes": longest}
        for name in law.coefficients:
            _, linear, square, _, cross = law.coefficients[name]
            slope = linear + cross * np.log2(SRAM_WORD_BITS)
            sizes = *inside, np.clip(_stationary(-slope, square), *inside)
            each = np.minimum.reduce([law(name, size, SRAM_WORD_BITS) for size in sizes])
            if name not in ("area_um2", "leakage_mw"):
                quantities[name] = slack * each
                continue
            numbers = fewest, banks, np.clip(least / _stationary(1 - slope, square), fewest, banks)
            total = np.minimum.reduce([number * law(name, least / number, SRAM_WORD_BITS) for number in numbers])
            rises = np.minimum(*(slope + 2 * square * np.log2(size) for size in (shortest, longest))) >= 0
            quantities[name] = slack * np.where(rises | (least == most), total, fewest * each)
        return quantities

    @cached_property
    def _moved(self) -> Array:
        """Bytes by [policy, operator]."""
        ops = self._model.operators
        return ops.a_bytes + ops.b_bytes + ops.c_bytes

    @cached_property
    def _lane_reads(self) -> Array:
        """Bits of operand A that products on the vector unit read in all, by [policy, pe, lanes]."""
        ops, lanes = self._model.operators, self._high["vector_lanes"]
        bits = ops.count * ops.batch * ops.m * ops.k * ops.a_bits
        on_vector = ops.is_gemm & ~self._model.placement.on_array
        return np.asarray((on_vector * bits[:, None]) @ np.ceil(ops.n[:, None] / lanes))

    def _work(self, box: Index) -> tuple[dict[str, Array], dict[str, Array]]:
        """Busy cycles and vector operations [box, operator] of one such operator, and totals [box].

        Of all operators together: ``clocked`` PEs times cycles, ``busy`` cycles, ``vector`` operations, bits ``read``
        (without `_lane_reads`) and ``written``, bytes ``moved``. It depends on policy, PE, dataflow, rows and columns
        alone, and is computed once for boxes that agree in them.
        """
        names = ("policy", "pe", "dataflow", "rows", "cols")
        shape = [len(self._model.choices.values[name]) + 1 for name in names]
        keys, place = np.unique(np.ravel_multi_index([box[name] + 1 for name in names], shape), return_inverse=True)
        policy, pe, dataflow, rows, cols = (column - 1 for column in np.unravel_index(keys, shape))
        ops, placed = self._model.operators, self._model.placement.at(policy, pe)
        on_array, dataflow = placed.on_array, self._model.dataflow[dataflow][:, None]
        (least_rows, least_cols), (most_rows, most_cols) = (
            (ends["rows"][rows][:, None], ends["cols"][cols][:, None]) for ends in (self._low, self._high)
        )
        folds = placed.folds(most_rows, most_cols, dataflow)
        cycles = placed.folds(least_rows, least_cols, dataflow).setup + folds.streaming
        busy = np.where(on_array, ops.batch * folds.count * cycles, 0)
        across = np.maximum(folds.on_rows * least_rows, by_dataflow(dataflow, placed.m, placed.k, placed.k))
        along = np.maximum(folds.on_cols * least_cols, by_dataflow(dataflow, placed.n, placed.n, placed.m))

        a_folds = by_dataflow(dataflow, folds.on_cols, folds.on_cols, 1)
        b_folds = by_dataflow(dataflow, folds.on_rows, 1, folds.on_cols)
        a_reads = np.where(on_array, ops.m * placed.a_passes * a_folds, 0)
        b_reads = np.where(on_array, ops.n * placed.b_passes * b_folds, ops.m * ops.n)
        operand_bits = np.where(
            ops.is_gemm,
            ops.batch * ops.k * (a_reads * ops.a_bits[policy] + b_reads * ops.b_bits[policy]),
            8 * (ops.a_bytes[policy] + ops.b_bytes[policy]),
        )
        sums = np.where(on_array, ops.batch * ops.m * ops.n, 0) * self._model.pes.accumulator_bits[pe][:, None]
        passes = by_dataflow(dataflow, 1, folds.on_rows, folds.on_rows)
        waiting = ops.waiting_bits[policy]

        edge = np.where(on_array, ops.edge[0, policy] * a_folds + ops.edge[1, policy] * b_folds, 0)
        dram = np.where(on_array, ops.dram[0, policy] + ops.dram[1, policy], 0)
        once = np.where(on_array, (ops.edge + ops.dram)[:, policy].sum(axis=0), 0)
        again = edge + dram - once
        vector = ops.vector_ops[policy] + np.where(on_array, ops.array_ops[policy], ops.fallback_ops[policy]) + again

        moved = self._moved[policy]
        by_operator = {
            "clocked": np.where(on_array, ops.batch * across * along * cycles, 0),
            "busy": busy,
            "vector": vector,
            "read": operand_bits + sums * (passes - 1) + waiting,
            "written": sums * passes + waiting + 8 * moved,
            "moved": moved,
        }
        totals = {name: (each @ ops.count)[place] for name, each in by_operator.items()}
        return {"busy": busy[place], "vector": vector[place]}, totals


def _with_least(table: Array, *axes: int) -> Array:
    """``table`` with the least of its values appended along ``axes``, where ``ANY`` finds it."""
    for axis in axes:
        table = np.concatenate([table, table.min(axis=axis, keepdims=True)], axis)
    return table


def _stationary(slope: float, square: float) -> float:
    """The size in bytes at which the derivative of a quadratic in its logarithm is zero; 1, if there is none."""
    return float(np.exp2(np.clip(slope / (2 * square), 0, 60))) if square else 1.0
