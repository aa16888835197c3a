"""Latency, energy and area of many designs at once, from tiles up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import Folds, by_dataflow
from hwexplore.accelerator.designs import Choices
from hwexplore.accelerator.hardware import Hardware
from hwexplore.accelerator.mapping import Mapper
from hwexplore.accelerator.tables import OperatorTable, PeTable, dataflow_indices
from hwexplore.technology import Technology
from hwexplore.workloads import Workload

__all__ = ["REASONS", "Breakdown", "Model"]

Array = NDArray[np.float64]
Index = Mapping[str, NDArray[np.intp]]

SRAM_WORD_BITS = 64
LANE_PORT_BITS = 32
"""Buffer port of one lane of the vector unit: two FP16 operands."""
REASONS = (
    "",
    "the PE cannot reach the clock",
    "the buffer is too small for the banks that feed array and vector unit",
    "the buffer's banks are slower than the clock",
    "the DRAM cannot hold weights and KV cache",
    "the buffer is too small for any tile",
)
"""Why a design is infeasible, by code; 0 is feasible."""


@dataclass(frozen=True)
class Breakdown:
    """Where time, energy and area of each design go.

    ``seconds`` and ``picojoules`` map a term to an array [design, operator] of one such operator, ``traffic_bytes`` and
    ``on_array`` are arrays [design, operator]; ``area_mm2`` and ``static_w`` map a term to an array [design]. All
    broadcast to the designs, as the indices did.
    """

    seconds: dict[str, Array]
    picojoules: dict[str, Array]
    traffic_bytes: Array
    on_array: NDArray[np.bool_]
    area_mm2: dict[str, Array]
    static_w: dict[str, Array]
    reason: NDArray[np.uint8]

    @property
    def operator_s(self) -> Array:
        """Time of one such operator [design, operator]: array, vector unit and DRAM work at the same time."""
        slowest, *others = self.seconds.values()
        for other in others:
            slowest = np.maximum(slowest, other)
        return slowest


class Model:
    """A workload on every design of ``choices``, all in one technology.

    Designs are indices: for each parameter an integer array into its values. The arrays broadcast: a flat column per
    parameter gives one design per entry, an open mesh (``numpy.ix_``) a whole grid, in which every formula is evaluated
    only over the parameters it depends on. See ``docs/models.md`` for the formulas.
    """

    def __init__(self, workload: Workload, technology: Technology, choices: Choices) -> None:
        self.workload = workload
        self.technology = technology
        self.choices = choices
        for name in choices.values["dram"]:
            technology.dram(name)

    @cached_property
    def pes(self) -> PeTable:
        """Costs by [pe, clock, voltage]."""
        return PeTable.of(self.choices, self.technology)

    @cached_property
    def operators(self) -> OperatorTable:
        """The workload under each policy."""
        return OperatorTable.of(self.choices, self.workload)

    @cached_property
    def mapper(self) -> Mapper:
        """How products are tiled into the buffer."""
        return Mapper(self.operators, self.pes, self.choices)

    def with_technology(self, technology: Technology) -> Model:
        """The same hardware priced with other coefficients; what reaches its clock is decided at this model's own."""
        other = Model(self.workload, technology, self.choices)
        other.operators, other.mapper = self.operators, self.mapper
        other.pes = replace(PeTable.of(self.choices, technology), reachable=self.pes.reachable)
        return other

    @cached_property
    def _dataflow(self) -> NDArray[np.intp]:
        return dataflow_indices(self.choices)

    @cached_property
    def _lane(self) -> Array:
        units = [self.technology.at(voltage).vector_unit for voltage in self.choices.values["voltage"]]
        return np.array([(unit.area_um2, unit.energy_pj, unit.leakage_uw) for unit in units]).T

    @cached_property
    def _dram(self) -> Array:
        records = [self.technology.dram(name) for name in self.choices.values["dram"]]
        return np.array(
            [
                (d.bandwidth_bytes_per_s, d.capacity_bytes, d.energy_pj_per_bit * 8, d.area_mm2, d.static_w)
                for d in records
            ]
        ).T

    @cached_property
    def _numbers(self) -> dict[str, Array]:
        return {name: self.choices.numbers(name) for name in ("rows", "cols", "vector_lanes", "sram_kib", "channels")}

    def hardware(self, index: Index) -> Hardware:
        """The hardware, and whether it can work and hold the workload at all."""
        rows, cols, lanes, sram_kib, channels = (values[index[name]] for name, values in self._numbers.items())
        bandwidth, capacity, dram_pj, phy_mm2, dram_w = self._dram[:, index["dram"]]
        pe = index["pe"], index["clock_mhz"], index["voltage"]
        lane_um2, lane_pj, lane_uw = self._lane[:, index["voltage"]]
        pes, law = self.pes, self.technology.sram_law
        accumulator = pes.accumulator_bits[index["pe"]]
        a_bits, b_bits = pes.operand_bits[:, index["pe"]]
        tile = pes.tile[:, index["pe"]]
        sums_per_cycle = cols * (tile[0] * tile[1] / tile[3])
        partial_sums = np.where(self._dataflow[index["dataflow"]] == 0, 0, 2 * sums_per_cycle * accumulator)
        sram_bytes = sram_kib * 1024
        port_bits = np.maximum(rows * a_bits + cols * b_bits + partial_sums, lanes * LANE_PORT_BITS)
        banks = np.maximum(np.ceil(port_bits / SRAM_WORD_BITS), np.ceil(sram_bytes / law.size_bytes[1]))
        bank_bytes = sram_bytes / banks
        inside = np.maximum(bank_bytes, law.size_bytes[0])
        macro = {name: law(name, inside, SRAM_WORD_BITS) for name in law.coefficients}
        period_s = pes.period_s[pe]
        instances = rows * cols
        return Hardware(
            rows=rows,
            cols=cols,
            lanes=lanes,
            period_s=period_s,
            sram_bytes=sram_bytes,
            read_pj_per_bit=macro["read_pj"] / SRAM_WORD_BITS,
            write_pj_per_bit=macro["write_pj"] / SRAM_WORD_BITS,
            bandwidth_bytes_per_s=bandwidth * channels,
            dram_pj_per_byte=dram_pj,
            mac_pj=pes.mac_pj[pe],
            clock_pj=pes.clock_pj[pe] * instances,
            lane_pj=lane_pj,
            accumulator_bits=accumulator,
            tile=tile,
            passes=pes.passes[:, index["pe"]],
            area_mm2={
                "PE array": instances * pes.area_um2[pe] * 1e-6,
                "buffer": banks * macro["area_um2"] * 1e-6,
                "vector unit": lanes * lane_um2 * 1e-6,
                "DRAM interface": phy_mm2 * channels,
            },
            static_w={
                "PE array leakage": instances * pes.leakage_uw[pe] * 1e-6,
                "buffer leakage": banks * macro["leakage_mw"] * 1e-3,
                "vector unit leakage": lanes * lane_uw * 1e-6,
                "DRAM background": dram_w * channels,
            },
            reason=np.select(
                [
                    ~pes.reachable[pe],
                    bank_bytes < law.size_bytes[0],
                    macro["access_ns"] * 1e-9 > period_s,
                    capacity * channels < self.operators.resident_bytes[index["policy"]],
                ],
                [1, 2, 3, 4],
            ).astype(np.uint8),
        )

    def breakdown(self, index: Index) -> Breakdown:
        """Time and energy of every operator of every design."""
        ops, hw = self.operators, self.hardware(index)
        policy = index["policy"]
        rows, cols, lanes, accumulator = (
            column[..., None] for column in (hw.rows, hw.cols, hw.lanes, hw.accumulator_bits)
        )
        tile_m, tile_n, tile_k, tile_cycles = hw.tile[..., None]
        a_passes, b_passes = hw.passes[..., None]
        dataflow = self._dataflow[index["dataflow"]][..., None]
        on_array = ops.accepts[policy, index["pe"]]
        a_bits, b_bits = ops.a_bits[policy], ops.b_bits[policy]

        m, n, k = np.ceil(ops.m / tile_m), np.ceil(ops.n / tile_n), np.ceil(ops.k / tile_k)
        folds = Folds.of(m, n, k, rows, cols, dataflow, tile_cycles)
        busy = np.where(on_array, ops.batch * folds.count * folds.cycles, 0)
        vector = ops.vector_ops[policy] + np.where(on_array, ops.array_ops[policy], ops.fallback_ops[policy])
        traffic = (ops.a_bytes + ops.b_bytes + ops.c_bytes)[policy] + self.mapper.again_bytes(index)

        a_reads = np.where(
            on_array,
            ops.m * a_passes * by_dataflow(dataflow, folds.on_cols, folds.on_cols, 1),
            ops.m * np.ceil(ops.n / lanes),
        )
        b_reads = np.where(
            on_array, ops.n * b_passes * by_dataflow(dataflow, folds.on_rows, 1, folds.on_cols), ops.m * ops.n
        )
        operand_bits = np.where(
            ops.is_gemm,
            ops.batch * ops.k * (a_reads * a_bits + b_reads * b_bits),
            8 * (ops.a_bytes[policy] + ops.b_bytes[policy]),
        )
        sums = np.where(on_array, ops.batch * ops.m * ops.n, 0) * accumulator
        passes = by_dataflow(dataflow, 1, folds.on_rows, folds.on_rows)
        traffic_bits = 8 * traffic

        seconds = {
            "array": busy * hw.period_s[..., None],
            "vector unit": vector / lanes * hw.period_s[..., None],
            "DRAM": traffic / hw.bandwidth_bytes_per_s[..., None],
        }
        picojoules = {
            "MAC": np.where(on_array, ops.macs, 0) * hw.mac_pj[..., None],
            "array clock": busy * hw.clock_pj[..., None],
            "buffer": (operand_bits + sums * (passes - 1)) * hw.read_pj_per_bit[..., None]
            + (sums * passes + traffic_bits) * hw.write_pj_per_bit[..., None],
            "vector unit": vector * hw.lane_pj[..., None],
            "DRAM": traffic * hw.dram_pj_per_byte[..., None],
        }
        reason = np.where(hw.reason == 0, np.where(np.isfinite(traffic).all(axis=-1), 0, 5), hw.reason).astype(np.uint8)
        return Breakdown(seconds, picojoules, traffic, on_array, hw.area_mm2, hw.static_w, reason)
