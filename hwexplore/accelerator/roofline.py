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
        ops = self.model.operators
        return _Unit(np.where(ops.accepts, ops.macs, 0) * ops.count, np.where(ops.accepts, self._bytes, 0))

    @cached_property
    def _vector(self) -> _Unit:
        ops = self.model.operators
        own = np.where(ops.is_gemm, ops.macs, ops.vector_ops)[:, None, :]
        return _Unit(np.where(ops.accepts, 0, own) * ops.count, np.where(ops.accepts, 0, self._bytes))

    @cached_property
    def _bytes(self) -> Array:
        ops = self.model.operators
        total = (ops.a_bytes + ops.b_bytes + ops.c_bytes) * ops.count
        return np.broadcast_to(total[:, None, :], ops.accepts.shape)

    @cached_property
    def _totals(self) -> tuple[Array, Array]:
        """Vector operations by [policy * pe], every conversion included, and bytes by [policy]."""
        ops = self.model.operators
        products = np.where(ops.accepts, ops.array_ops[:, None, :], ops.fallback_ops[:, None, :])
        vector = ((ops.vector_ops[:, None, :] + products) * ops.count).sum(axis=-1)
        return vector.ravel(), self._bytes[:, 0].sum(axis=-1)

    def bounds(self, index: Index) -> tuple[Array, Array, Array, NDArray[np.uint8]]:
        """Latency in s, energy in J, area in mm2 and reason code, arrays [design]."""
        hw = self.model.hardware(index)
        pair = index["policy"] * len(self.model.choices.values["pe"]) + index["pe"]
        bandwidth = hw.bandwidth_bytes_per_s
        array_s, macs = self._array.seconds(pair, hw.macs_per_cycle / hw.period_s, bandwidth)
        vector_s, _ = self._vector.seconds(pair, hw.lanes / hw.period_s, bandwidth)
        latency = array_s + vector_s
        vector_ops, moved = self._totals
        bytes_moved = moved[index["policy"]]
        picojoules = (
            macs * (hw.mac_pj + hw.clock_pj / hw.macs_per_cycle)
            + vector_ops[pair] * hw.lane_pj
            + bytes_moved * (hw.dram_pj_per_byte + 8 * hw.write_pj_per_bit)
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
