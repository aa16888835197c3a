"""Latency, energy and area of many designs at once, from tiles up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import by_dataflow
from hwexplore.accelerator.designs import Choices
from hwexplore.accelerator.hardware import Hardware
from hwexplore.accelerator.mapping import Mapper
from hwexplore.accelerator.operator_table import OperatorTable
from hwexplore.accelerator.pe_table import MM_PER_SQRT_UM2, PeTable
from hwexplore.accelerator.placement import Placement
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

    Arrays [design, operator] of one such operator by term: ``seconds``, ``picojoules``, ``converted`` (elements, by the
    place where they are converted before they enter the array); ``traffic_bytes`` and ``on_array`` are such arrays too.
    ``area_mm2`` and ``static_w`` map a term to an array [design]. All broadcast to the designs, as the indices did.
    """

    seconds: dict[str, Array]
    picojoules: dict[str, Array]
    traffic_bytes: Array
    on_array: NDArray[np.bool_]
    converted: dict[str, Array]
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
    only over the parameters it depends on. The distribution of ``operands``, gaussian or uniform, decides how much the
    PEs toggle. See ``docs/models.md`` for the formulas.
    """

    def __init__(
        self, workload: Workload, technology: Technology, choices: Choices, operands: str = "gaussian"
    ) -> None:
        self.workload = workload
        self.technology = technology
        self.choices = choices
        self.operands = operands
        for name in choices.values["dram"]:
            technology.dram(name)

    @cached_property
    def pes(self) -> PeTable:
        """Costs by [pe, clock, voltage]."""
        return PeTable.of(self.choices, self.technology, self.operands)

    @cached_property
    def operators(self) -> OperatorTable:
        """The workload under each policy."""
        return OperatorTable.of(self.choices, self.workload)

    @cached_property
    def placement(self) -> Placement:
        """Where each product runs, under each policy and with each PE."""
        return Placement.of(self.choices, self.workload)

    @cached_property
    def mapper(self) -> Mapper:
        """How products are tiled into the buffer."""
        return Mapper(self.operators, self.placement, self.pes.accumulator_bits, self.choices)

    def of_designs(self, index: Index) -> tuple[Model, Index]:
        """The model with the choices that the designs at ``index`` take and no others, and their indices in it."""
        taken = {name: np.unique(column, return_inverse=True) for name, column in index.items()}
        values = {name: [self.choices.values[name][i] for i in used] for name, (used, _) in taken.items()}
        model = Model(self.workload, self.technology, Choices(values), self.operands)
        return model, {name: i for name, (_, i) in taken.items()}

    def with_technology(self, technology: Technology) -> Model:
        """The same hardware priced with other coefficients; what reaches its clock is decided at this model's own."""
        other = Model(self.workload, technology, self.choices, self.operands)
        other.operators, other.placement, other.mapper = self.operators, self.placement, self.mapper
        other.pes = replace(PeTable.of(self.choices, technology, self.operands), reachable=self.pes.reachable)
        return other

    @cached_property
    def dataflow(self) -> NDArray[np.intp]:
        """Index into ``DATAFLOWS`` of each dataflow."""
        return self.choices.dataflows

    @cached_property
    def lane(self) -> Array:
        """Area in um2, energy in pJ per operation and leakage in uW of a lane of the vector unit [3, voltage]."""
        units = [self.technology.at(voltage).vector_unit for voltage in self.choices.values["voltage"]]
        return np.array([(unit.area_um2, unit.energy_pj, unit.leakage_uw) for unit in units]).T

    @cached_property
    def edge(self) -> Array:
        """Area in um2, clock energy in pJ and leakage in uW of a register at the array's edge, per bit [3, voltage]."""
        registers = [self.technology.at(voltage).primitives["flip_flop"] for voltage in self.choices.values["voltage"]]
        return np.array([(ff.area_um2, ff.clock_pj, ff.leakage_uw) for ff in registers]).T

    @cached_property
    def dram(self) -> Array:
        """Bandwidth in bytes/s, capacity in bytes, pJ per byte, PHY in mm2 and static W of a channel [5, dram]."""
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

    def widths(
        self, pe: NDArray[np.intp], dataflow: NDArray[np.intp], rows: Array, cols: Array, lanes: Array
    ) -> tuple[Array, Array]:
        """Bits of the ports of a buffer that feeds so many PEs and lanes, and of the registers at the array's edge."""
        pes = self.pes
        (a_bits, b_bits), (a_ports, b_ports) = pes.operand_bits[:, pe], pes.port_bits[:, pe]
        partial_sums = np.where(dataflow == 0, 0, 2 * cols * pes.sums_per_cycle[pe] * pes.accumulator_bits[pe])
        port_bits = np.maximum(rows * a_bits + cols * b_bits + partial_sums, lanes * LANE_PORT_BITS)
        return port_bits, rows * a_ports + cols * b_ports + partial_sums

    def banks(self, port_bits: Array, sram_bytes: Array) -> Array:
        """Banks of a buffer of that width and size."""
        largest = self.technology.sram_law.size_bytes[1]
        return np.asarray(np.maximum(np.ceil(port_bits / SRAM_WORD_BITS), np.ceil(sram_bytes / largest)))

    def hardware(self, index: Index) -> Hardware:
        """The hardware, and whether it can work and hold the workload at all."""
        rows, cols, lanes, sram_kib, channels = (values[index[name]] for name, values in self._numbers.items())
        bandwidth, capacity, dram_pj, phy_mm2, dram_w = self.dram[:, index["dram"]]
        lane_um2, lane_pj, lane_uw = self.lane[:, index["voltage"]]
        edge_um2, edge_pj, edge_uw = self.edge[:, index["voltage"]]
        pes, law = self.pes, self.technology.sram_law
        dataflow = self.dataflow[index["dataflow"]]
        timing = index["pe"], index["clock_mhz"], index["voltage"]
        in_array = index["pe"], dataflow, index["clock_mhz"], index["voltage"]
        accumulator = pes.accumulator_bits[index["pe"]]
        port_bits, edge_bits = self.widths(index["pe"], dataflow, rows, cols, lanes)
        sram_bytes = sram_kib * 1024
        banks = self.banks(port_bits, sram_bytes)
        bank_bytes = sram_bytes / banks
        inside = np.maximum(bank_bytes, law.size_bytes[0])
        macro = {name: law(name, inside, SRAM_WORD_BITS) for name in law.coefficients}
        period_s, access_s = pes.period_s[timing], macro["access_ns"] * 1e-9
        instances = rows * cols
        buffer_um2 = banks * macro["area_um2"]
        core_um2, register_um2 = instances * pes.core_um2[in_array], instances * pes.register_um2[in_array]
        distance_mm = MM_PER_SQRT_UM2 * (np.sqrt(buffer_um2) + np.sqrt(core_um2 + register_um2)) / 2
        return Hardware(
            rows=rows,
            cols=cols,
            lanes=lanes,
            period_s=period_s,
            sram_bytes=sram_bytes,
            banks=banks,
            access_s=access_s,
            read_pj_per_bit=macro["read_pj"] / SRAM_WORD_BITS,
            write_pj_per_bit=macro["write_pj"] / SRAM_WORD_BITS,
            bandwidth_bytes_per_s=bandwidth * channels,
            dram_pj_per_byte=dram_pj,
            clock_pj=pes.clock_pj[in_array] * instances + edge_pj * edge_bits,
            interconnect_pj_per_bit=self.technology.wire_pj_per_bit_mm * distance_mm,
            lane_pj=lane_pj,
            accumulator_bits=accumulator,
            area_mm2={
                "PE array": core_um2 * 1e-6,
                "operand registers": (register_um2 + edge_um2 * edge_bits) * 1e-6,
                "buffer": buffer_um2 * 1e-6,
                "vector unit": lanes * lane_um2 * 1e-6,
                "DRAM interface": phy_mm2 * channels,
            },
            static_w={
                "PE array leakage": (instances * pes.leakage_uw[in_array] + edge_uw * edge_bits) * 1e-6,
                "buffer leakage": banks * macro["leakage_mw"] * 1e-3,
                "vector unit leakage": lanes * lane_uw * 1e-6,
                "DRAM background": dram_w * channels,
            },
            reason=np.select(
                [
                    ~pes.reachable[timing],
                    bank_bytes < law.size_bytes[0],
                    access_s > period_s,
                    capacity * channels < self.operators.resident_bytes[index["policy"]],
                ],
                [1, 2, 3, 4],
            ).astype(np.uint8),
        )

    def breakdown(self, index: Index) -> Breakdown:
        """Time and energy of every operator of every design."""
        ops, hw = self.operators, self.hardware(index)
        policy = index["policy"]
        placed = self.placement.at(policy, index["pe"])
        rows, cols, lanes, accumulator = (
            column[..., None] for column in (hw.rows, hw.cols, hw.lanes, hw.accumulator_bits)
        )
        dataflow = self.dataflow[index["dataflow"]][..., None]
        on_array = placed.on_array
        a_bits, b_bits = ops.a_bits[policy], ops.b_bits[policy]

        folds = placed.folds(rows, cols, dataflow)
        again_bytes, setups, a_passes, b_passes = self.mapper.mapped(index)
        busy = np.where(on_array, ops.batch * folds.count * (setups * folds.setup + folds.streaming), 0)
        traffic = (ops.a_bytes + ops.b_bytes + ops.c_bytes)[policy] + again_bytes

        a_folds = by_dataflow(dataflow, folds.on_cols, folds.on_cols, 1)
        b_folds = by_dataflow(dataflow, folds.on_rows, 1, folds.on_cols)
        a_reads = np.where(on_array, ops.m * placed.a_passes * a_folds, ops.m * np.ceil(ops.n / lanes))
        b_reads = np.where(on_array, ops.n * placed.b_passes * b_folds, ops.m * ops.n)
        operand_bits = np.where(
            ops.is_gemm,
            ops.batch * ops.k * (a_reads * a_bits + b_reads * b_bits),
            8 * (ops.a_bytes[policy] + ops.b_bytes[policy]),
        )
        sums = np.where(on_array, ops.batch * ops.m * ops.n, 0) * accumulator
        passes = by_dataflow(dataflow, setups, folds.on_rows, folds.on_rows)
        waiting = ops.waiting_bits[policy]
        read_bits = operand_bits + sums * (passes - 1) + waiting
        written_bits = sums * passes + waiting + 8 * traffic

        converted = {
            "edge": np.where(on_array, ops.edge[0, policy] * a_folds + ops.edge[1, policy] * b_folds, 0),
            "dram": np.where(
                on_array, _times(ops.dram[0, policy], a_passes) + _times(ops.dram[1, policy], b_passes), 0
            ),
        }
        once = np.where(on_array, (ops.edge + ops.dram)[:, policy].sum(axis=0), 0)
        again = converted["edge"] + converted["dram"] - once
        vector = ops.vector_ops[policy] + np.where(on_array, ops.array_ops[policy], ops.fallback_ops[policy]) + again

        seconds = {
            "array": busy * hw.period_s[..., None],
            "vector unit": vector / lanes * hw.period_s[..., None],
            "DRAM": traffic / hw.bandwidth_bytes_per_s[..., None],
        }
        worked = np.where(on_array, placed.work_cycles, 0)
        clock, voltage = (index[name][..., None] for name in ("clock_mhz", "voltage"))
        working_pj = self.pes.working_pj(placed.unit, dataflow, clock, voltage)
        picojoules = {
            **{term: worked * per_cycle for term, per_cycle in working_pj.items()},
            "array clock": busy * hw.clock_pj[..., None],
            "buffer": read_bits * hw.read_pj_per_bit[..., None] + written_bits * hw.write_pj_per_bit[..., None],
            "interconnect": (read_bits + written_bits) * hw.interconnect_pj_per_bit[..., None],
            "vector unit": vector * hw.lane_pj[..., None],
            "DRAM": traffic * hw.dram_pj_per_byte[..., None],
        }
        reason = np.where(hw.reason == 0, np.where(np.isfinite(traffic).all(axis=-1), 0, 5), hw.reason).astype(np.uint8)
        return Breakdown(seconds, picojoules, traffic, on_array, converted, hw.area_mm2, hw.static_w, reason)


def _times(elements: Array, passes: Array) -> Array:
    """``elements`` in each of ``passes``, which are infinite where no tile fits."""
    return elements * np.where(elements > 0, passes, 0)
