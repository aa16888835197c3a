"""The roofline bound of many designs: each operator at its peak or at the memory's, whichever is slower."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.model import Index, Model

__all__ = ["Roofline"]

Array = NDArray[np.float64]

SPAN = 4096.0
"""Distance between the search keys of neighbouring tables; exceeds any log2 of an intensity."""


class Roofline:
    """Lower bounds of a model's latency and energy; area is the model's own.

    Array, vector unit and DRAM run at their peaks, every byte moves once, operators follow each other. The sum over
    operators of ``max(work / peak, bytes / bandwidth)`` has one breakpoint per operator in peak / bandwidth, so each
    design needs one look-up into prefix sums instead of a pass over the operators.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def _array(self) -> _Unit:
        placement = self.model.placement
        cycles = placement.work_cycles * self.model.operators.count
        return _Unit(cycles, np.where(placement.on_array, self._bytes, 0))

    @cached_property
    def _vector(self) -> _Unit:
        ops, on_array = self.model.operators, self.model.placement.on_array
        own = np.where(ops.is_gemm, ops.macs, ops.vector_ops)[:, None, :]
        return _Unit(np.where(on_array, 0, own) * ops.count, np.where(on_array, 0, self._bytes))

    @cached_property
    def _bytes(self) -> Array:
        ops = self.model.operators
        total = (ops.a_bytes + ops.b_bytes + ops.c_bytes) * ops.count
        return np.broadcast_to(total[:, None, :], self.model.placement.unit.shape)

    @cached_property
    def _totals(self) -> tuple[Array, Array]:
        """Vector operations by [policy * pe], every conversion included, and bytes by [policy]."""
        ops = self.model.operators
        on_array = self.model.placement.on_array
        products = np.where(on_array, ops.array_ops[:, None, :], ops.fallback_ops[:, None, :])
        vector = ((ops.vector_ops[:, None, :] + products) * ops.count).sum(axis=-1)
        return vector.ravel(), self._bytes[:, 0].sum(axis=-1)

    @cached_property
    def array_pj(self) -> Array:
        """Energy of all products on the array, but its clock, by [policy, pe, dataflow, clock, voltage]."""
        pes, placement = self.model.pes, self.model.placement
        per_cycle = pes.core_pj + pes.register_pj + pes.wire_pj
        cycles = placement.work_cycles * self.model.operators.count
        return np.array(
            [
                [c @ per_cycle[u].reshape(len(u), -1) for c, u in zip(*rows, strict=True)]
                for rows in zip(cycles, placement.unit, strict=True)
            ]
        ).reshape(*cycles.shape[:2], *per_cycle.shape[1:])

    def bounds(self, index: Index) -> tuple[Array, Array, Array, NDArray[np.uint8]]:
        """Latency in s, energy in J, area in mm2 and reason code, arrays [design]."""
        hw = self.model.hardware(index)
        pair = index["policy"] * len(self.model.choices.values["pe"]) + index["pe"]
        bandwidth = hw.bandwidth_bytes_per_s
        instances = hw.rows * hw.cols
        array_s, cycles = self._array.seconds(pair, instances / hw.period_s, bandwidth)
        vector_s, _ = self._vector.seconds(pair, hw.lanes / hw.period_s, bandwidth)
        latency = array_s + vector_s
        vector_ops, moved = self._totals
        bytes_moved = moved[index["policy"]]
        picojoules = (
            self.array_pj[
                index["policy"],
                index["pe"],
                self.model.dataflow[index["dataflow"]],
                index["clock_mhz"],
                index["voltage"],
            ]
            + cycles * hw.clock_pj / instances
            + vector_ops[pair] * hw.lane_pj
            + bytes_moved * (hw.dram_pj_per_byte + 8 * (hw.write_pj_per_bit + hw.interconnect_pj_per_bit))
        )
        energy = picojoules * 1e-12 + latency * sum(hw.static_w.values())
        return latency, energy, np.asarray(sum(hw.area_mm2.values())), hw.reason


class _Unit:
    """Operators of one unit, for each pair of policy and PE sorted by arithmetic intensity, with prefix sums.

    ``work`` and ``moved`` [policy, pe, operator] are zero for the operators of the other unit.
    """

    def __init__(self, work: Array, moved: Array) -> None:
        pairs = work.shape[0] * work.shape[1]
        work, moved = work.reshape(pairs, -1), moved.reshape(pairs, -1)
        with np.errstate(divide="ignore", invalid="ignore"):
            intensity = np.nan_to_num(np.log2(work / moved), nan=0, neginf=1 - SPAN / 2, posinf=SPAN / 2 - 1)
        order = np.argsort(intensity, axis=1)
        self.keys = (np.take_along_axis(intensity, order, 1) + SPAN * np.arange(pairs)[:, None]).ravel()
        self.operators = work.shape[1]
        self.bytes_below = _prefix_sums(np.take_along_axis(moved, order, 1))
        self.work_above = work.sum(axis=1).repeat(self.operators + 1) - _prefix_sums(np.take_along_axis(work, order, 1))
        self.work = work.sum(axis=1)

    def seconds(self, pair: NDArray[np.intp], work_per_s: Array, bytes_per_s: Array) -> tuple[Array, Array]:
        """Time and work [design]."""
        below = np.searchsorted(self.keys, np.log2(work_per_s / bytes_per_s) + SPAN * pair) + pair
        return self.bytes_below[below] / bytes_per_s + self.work_above[below] / work_per_s, self.work[pair]


def _prefix_sums(values: Array) -> Array:
    """Sums of the first 0, 1, ... entries of each row, flattened."""
    return np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0))).ravel()
