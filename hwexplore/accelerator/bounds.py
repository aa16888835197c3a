"""Lower bounds of latency, energy and area over boxes of designs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import by_dataflow
from hwexplore.accelerator.model import LANE_PORT_BITS, SRAM_WORD_BITS, Index, Model
from hwexplore.accelerator.pe_table import MM_PER_SQRT_UM2

__all__ = ["ANY", "FIXED", "Bounds"]

Array = NDArray[np.float64]
Ends = dict[str, Array]

ANY = -1
"""Index of a parameter that a box leaves open: its members take every value."""
FIXED = ("pe", "policy", "dataflow")
"""Parameters that every box fixes."""
SLACK = 1 - 1e-12
"""Factor on what is computed in another order than the model does, against its rounding errors."""


class Bounds:
    """Lower bounds of the metrics that a tile model gives the members of boxes, and whether any member is feasible.

    A box has an index for each parameter, or ``ANY``. Each formula of the model is evaluated at the ends of the ranges
    of what it depends on, where it is least:

    - A term that rises with a quantity takes the least of the quantity over the box, one that falls with it the most:
      the area and the leakage of PEs, lanes, interfaces; the period; folds, which fall with rows and columns; DRAM time,
      which falls with bandwidth. Tables by PE, clock and voltage have their minimum over the values left open.
    - Tiles move every byte at least once and set up each fold at least once.
    - The array's clock runs in ``ceil(m / rows) ceil(n / cols)`` folds of ``rows cols`` PEs: in PEs, that is at least
      the product's m n, whatever the rows and columns.
    - With banks b = 2^x for a buffer of 2^s bytes, area and leakage are 2 to the power of x + P(s - x), energies
      2 to the power of P(s - x), P a quadratic: its minimum on an interval is at an end or at its vertex.

    Sums and products are taken in the model's order, so that rounding, which is monotonic too, keeps the bound below;
    where the order differs, ``SLACK`` does. A box of one design whose operators each fit one tile has that design's
    latency and area to the bit.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        choices, pes, technology = model.choices, model.pes, model.technology
        names = ("rows", "cols", "vector_lanes", "sram_kib", "channels")
        numbers = {name: choices.numbers(name) for name in names}
        self._low = {name: np.append(values, values.min()) for name, values in numbers.items()}
        self._high = {name: np.append(values, values.max()) for name, values in numbers.items()}

        self._period_low = _with_any(pes.period_s, (1, 2))
        self._period_high = -_with_any(-np.where(pes.reachable, pes.period_s, 0), (1, 2))
        self._reachable = self._period_high > 0
        names = "core_um2", "register_um2", "clock_pj", "leakage_uw"
        self._pe = np.stack([_with_any(getattr(pes, name), (2, 3)) for name in names])
        self._lane, self._edge = _with_any(model._lane, (1,)), _with_any(model._edge, (1,))
        drams = [technology.dram(name) for name in choices.values["dram"]]
        self._bandwidth = -_with_any(np.array([-d.bandwidth_bytes_per_s for d in drams]), (0,))
        self._capacity = -_with_any(np.array([-float(d.capacity_bytes) for d in drams]), (0,))
        figures = np.array([(d.energy_pj_per_bit * 8, d.area_mm2, d.static_w) for d in drams]).T
        self._dram = _with_any(figures, (1,))
        self._working_pj = _with_any(self._by_timing(), (3, 4))

    def _by_timing(self) -> Array:
        """Energy in pJ of all products on the array, but its clock, by [policy, pe, dataflow, clock, voltage]."""
        pes, placement = self._model.pes, self._model.placement
        per_cycle = pes.core_pj + pes.register_pj + pes.wire_pj
        cycles = placement.work_cycles * self._model.operators.count
        energy = [
            [each @ per_cycle[unit].reshape(unit.size, -1) for each, unit in zip(*rows, strict=True)]
            for rows in zip(cycles, placement.unit, strict=True)
        ]
        return np.reshape(energy, (*cycles.shape[:2], *per_cycle.shape[1:]))

    def __call__(self, box: Index) -> tuple[Array, Array, Array, NDArray[np.uint8]]:
        """Latency in s, energy in J, area in mm2 and the reason why no member is feasible (0 if one may be), [box]."""
        low, high = ({name: values[box[name]] for name, values in ends.items()} for ends in (self._low, self._high))
        pe, clock, voltage, dataflow = box["pe"], box["clock_mhz"], box["voltage"], self._model.dataflow[box["dataflow"]]
        timing = pe, clock, voltage
        period = self._period_low[timing]
        core_um2, register_um2, clock_pj, leakage_uw = self._pe[:, pe, dataflow, clock, voltage]
        lane_um2, lane_pj, lane_uw = self._lane[:, voltage]
        edge_um2, edge_pj, edge_uw = self._edge[:, voltage]
        dram_pj, phy_mm2, dram_w = self._dram[:, box["dram"]]
        instances = low["rows"] * low["cols"]
        port_bits, edge_bits = self._widths(low, pe, dataflow)
        buffer = self._buffer(low, high, port_bits, self._widths(high, pe, dataflow)[0])
        core_um2, register_um2 = instances * core_um2, instances * register_um2
        area = [
            core_um2 * 1e-6,
            (register_um2 + edge_um2 * edge_bits) * 1e-6,
            buffer["area_um2"] * 1e-6,
            low["vector_lanes"] * lane_um2 * 1e-6,
            phy_mm2 * low["channels"],
        ]
        static = [
            (instances * leakage_uw + edge_uw * edge_bits) * 1e-6,
            buffer["leakage_mw"] * 1e-3,
            low["vector_lanes"] * lane_uw * 1e-6,
            dram_w * low["channels"],
        ]
        distance_mm = MM_PER_SQRT_UM2 * (np.sqrt(buffer["area_um2"]) + np.sqrt(core_um2 + register_um2)) / 2
        wire_pj = self._model.technology.wire_pj_per_bit_mm * distance_mm

        folds, key = self._folds(box)
        bandwidth = self._bandwidth[box["dram"]] * high["channels"]
        seconds = folds["busy"][key] * period[:, None]
        np.maximum(seconds, folds["vector"][key] / high["vector_lanes"][:, None] * period[:, None], out=seconds)
        np.maximum(seconds, self._moved[box["policy"]] / bandwidth[:, None], out=seconds)
        latency = np.einsum("...o,o->...", seconds, self._model.operators.count)

        totals = {name: folds[name][key] for name in ("clocked", "edge_clocked", "vector_ops", "read", "written", "moved")}
        read = totals["read"] + self._lane_reads[box["policy"], pe, box["vector_lanes"]]
        picojoules = (
            self._working_pj[box["policy"], pe, dataflow, clock, voltage]
            + totals["clocked"] * clock_pj
            + totals["edge_clocked"] * edge_pj * edge_bits
            + read * (buffer["read_pj"] / SRAM_WORD_BITS + wire_pj)
            + totals["written"] * (buffer["write_pj"] / SRAM_WORD_BITS + wire_pj)
            + totals["vector_ops"] * lane_pj
            + totals["moved"] * dram_pj
        )
        energy = SLACK * (picojoules * 1e-12 + latency * sum(static))
        return latency, energy, np.asarray(sum(area)), self._reason(box, high, port_bits)

    def _reason(self, box: Index, high: Ends, port_bits: Array) -> NDArray[np.uint8]:
        smallest = self._model.technology.sram_law.size_bytes[0]
        most = high["sram_kib"] * 1024 / np.ceil(port_bits / SRAM_WORD_BITS)
        capacity = self._capacity[box["dram"]] * high["channels"]
        unreachable = ~self._reachable[box["pe"], box["clock_mhz"], box["voltage"]]
        short = capacity < self._model.operators.resident_bytes[box["policy"]]
        return np.select([unreachable, most < smallest, short], [1, 2, 4]).astype(np.uint8)

    def _widths(self, ends: Ends, pe: NDArray[np.intp], dataflow: NDArray[np.intp]) -> tuple[Array, Array]:
        """Bits of the buffer's ports, and of the registers at the array's edge, as `Model.hardware` has them."""
        pes = self._model.pes
        (a_bits, b_bits), (a_ports, b_ports) = pes.operand_bits[:, pe], pes.port_bits[:, pe]
        sums = np.where(dataflow == 0, 0, 2 * ends["cols"] * pes.sums_per_cycle[pe] * pes.accumulator_bits[pe])
        port = ends["rows"] * a_bits + ends["cols"] * b_bits + sums
        edge = ends["rows"] * a_ports + ends["cols"] * b_ports + sums
        return np.maximum(port, ends["vector_lanes"] * LANE_PORT_BITS), edge

    def _buffer(self, low: Ends, high: Ends, port_low: Array, port_high: Array) -> dict[str, Array]:
        """Area and leakage of all banks, energies of one."""
        law = self._model.technology.sram_law
        size_low, size_high = (ends["sram_kib"] * 1024 for ends in (low, high))
        fewest, most = (
            np.maximum(np.ceil(port / SRAM_WORD_BITS), np.ceil(size / law.size_bytes[1]))
            for port, size in ((port_low, size_low), (port_high, size_high))
        )
        shortest, longest = size_low / most, size_high / fewest
        inside = tuple(np.maximum(size, law.size_bytes[0]) for size in (shortest, longest))
        slack = np.where((fewest == most) & (size_low == size_high), 1, SLACK)
        least = {}
        for name in ("read_pj", "write_pj", "area_um2", "leakage_mw"):
            _, linear, square, _, cross = law.coefficients[name]
            linear += cross * np.log2(SRAM_WORD_BITS)
            sizes = *inside, np.clip(_stationary(-linear, square), *inside)
            each = np.minimum.reduce([law(name, size, SRAM_WORD_BITS) for size in sizes])
            if name.endswith("_pj"):
                least[name] = slack * each
                continue
            banks = fewest, most, np.clip(size_low / _stationary(1 - linear, square), fewest, most)
            total = np.minimum.reduce([number * law(name, size_low / number, SRAM_WORD_BITS) for number in banks])
            rising = linear + 2 * square * np.log2([shortest, longest]).min(axis=0) >= 0
            rising &= linear + 2 * square * np.log2([shortest, longest]).max(axis=0) >= 0
            least[name] = slack * np.where(rising, total, fewest * each)
        return least

    @cached_property
    def _moved(self) -> Array:
        ops = self._model.operators
        return ops.a_bytes + ops.b_bytes + ops.c_bytes

    @cached_property
    def _lane_reads(self) -> Array:
        """Bits of operand A that products on the vector unit read, by [policy, pe, lanes]."""
        ops, lanes = self._model.operators, self._high["vector_lanes"][:, None]
        once = ops.count * ops.batch * ops.k * ops.m * ops.a_bits
        on_vector = ops.is_gemm & ~self._model.placement.on_array
        return np.asarray((on_vector * once[:, None]) @ np.ceil(ops.n / lanes).T)

    def _folds(self, box: Index) -> tuple[dict[str, Array], NDArray[np.intp]]:
        """What depends on policy, PE, dataflow, rows and columns alone, for each combination, and that of each box.

        ``busy`` cycles and ``vector`` operations [combination, operator] of one such operator. Over all operators:
        ``clocked`` PEs times cycles, ``edge_clocked`` cycles, ``vector_ops``, bits ``read`` and ``written``, bytes
        ``moved``; reads of products on the vector unit only as far as lanes do not matter.
        """
        names = ("policy", "pe", "dataflow", "rows", "cols")
        shape = [len(self._model.choices.values[name]) + 1 for name in names]
        keys, place = np.unique(np.ravel_multi_index([box[name] + 1 for name in names], shape), return_inverse=True)
        policy, pe, dataflow, rows, cols = (column - 1 for column in np.unravel_index(keys, shape))
        ops, placed = self._model.operators, self._model.placement.at(policy, pe)
        on_array, dataflow = placed.on_array, self._model.dataflow[dataflow][:, None]
        (rows_low, cols_low), (rows_high, cols_high) = (
            (ends["rows"][rows][:, None], ends["cols"][cols][:, None]) for ends in (self._low, self._high)
        )
        folds = placed.folds(rows_high, cols_high, dataflow)
        setup = placed.folds(rows_low, cols_low, dataflow).setup
        busy = np.where(on_array, ops.batch * folds.count * (1.0 * setup + folds.streaming), 0)
        across = np.maximum(folds.on_rows * rows_low, by_dataflow(dataflow, placed.m, placed.k, placed.k))
        along = np.maximum(folds.on_cols * cols_low, by_dataflow(dataflow, placed.n, placed.n, placed.m))
        clocked = np.where(on_array, ops.batch * across * along * (setup + folds.streaming), 0)

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
        waiting, moved = ops.waiting_bits[policy], self._moved[policy]

        edge = np.where(on_array, ops.edge[0, policy] * a_folds + ops.edge[1, policy] * b_folds, 0)
        dram = np.where(on_array, ops.dram[0, policy] + ops.dram[1, policy], 0)
        once = np.where(on_array, (ops.edge + ops.dram)[:, policy].sum(axis=0), 0)
        own = np.where(on_array, ops.array_ops[policy], ops.fallback_ops[policy])
        vector = ops.vector_ops[policy] + own + (edge + dram - once)
        totals = {
            "clocked": clocked,
            "edge_clocked": busy,
            "vector_ops": vector,
            "read": operand_bits + sums * (passes - 1) + waiting,
            "written": sums * passes + waiting + 8 * moved,
            "moved": moved,
        }
        return {"busy": busy, "vector": vector, **{name: each @ ops.count for name, each in totals.items()}}, place


def _with_any(table: Array, axes: Sequence[int]) -> Array:
    """``table`` with the least of its values appended along ``axes``, where ``ANY`` finds it."""
    for axis in axes:
        table = np.concatenate([table, table.min(axis=axis, keepdims=True)], axis)
    return table


def _stationary(slope: float, square: float) -> float:
    """The size in bytes at which a quadratic in its logarithm has its extreme; any size, if it has none."""
    return float(np.exp2(np.clip(slope / (2 * square), 0, 60))) if square else 1.0
