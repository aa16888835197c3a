"""What a model looks up for each design: one table per parameter, computed once per distinct value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import DATAFLOWS
from hwexplore.accelerator.designs import Choices
from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Scaled
from hwexplore.pe import PE
from hwexplore.technology import Bill, Item, Technology
from hwexplore.workloads import OperandFormat, Operands, Operator, Policy, Workload

__all__ = ["OperatorTable", "PeTable", "operand_registers"]

Array = NDArray[np.float64]

PER_CLOCK = ("period_s", "area_um2", "mac_pj", "clock_pj", "leakage_uw")
QUANTIZE_OPS = 3
"""Vector operations per element quantized on the fly: absolute maximum, scaling, rounding."""
GROUP_OPS = 2
"""Vector operations per partial sum of a group: scaling and addition."""


def operand_registers(pe: PE) -> Bill:
    """The registers that pass one PE's operands on to its neighbours in a systolic array."""
    bits = sum(pe.ports.values())
    return Bill((Item("operand registers", "flip_flop", bits, 0.5, "one per bit of the operand ports, random data"),))


@dataclass(frozen=True)
class PeTable:
    """Cost of one PE in the array, by [pe, clock_mhz, voltage].

    ``reachable`` tells where the largest effort meets the clock; elsewhere ``period_s`` is longer than the clock's. By
    [pe], ``tile`` has the rows m, n, k and cycles, ``passes`` how often activations and weights come to the ports, and
    ``operand_bits`` how many of them in one cycle on average, scales included.
    """

    reachable: NDArray[np.bool_]
    period_s: Array
    area_um2: Array
    mac_pj: Array
    clock_pj: Array
    leakage_uw: Array
    accumulator_bits: Array
    operand_bits: Array
    passes: Array
    tile: Array

    @classmethod
    def of(cls, choices: Choices, technology: Technology) -> PeTable:
        """Price every PE of ``choices`` at every clock and voltage; where a PE is slower, the clock yields."""
        pes, clocks, voltages = (choices.values[name] for name in ("pe", "clock_mhz", "voltage"))
        nodes = [technology.at(voltage) for voltage in voltages]
        shape = len(pes), len(clocks), len(nodes)
        reachable = np.empty(shape, bool)
        cost = {name: np.empty(shape) for name in PER_CLOCK}
        for place in np.ndindex(shape):
            pe, node = pes[place[0]], nodes[place[2]]
            bill, target_ps = pe.bill("gaussian"), _period_ps(clocks[place[1]])
            core, registers = node.price(bill, node.effort(bill, target_ps)), node.price(operand_registers(pe))
            reachable[place] = target_ps == 0 or core.delay_ps <= target_ps * (1 + 1e-9)
            cost["period_s"][place] = max(target_ps, core.delay_ps) * 1e-12
            cost["area_um2"][place] = core.area_um2 + registers.area_um2
            cost["mac_pj"][place] = (core.dynamic_pj + registers.dynamic_pj) / pe.macs_per_cycle
            cost["clock_pj"][place] = core.clock_pj + registers.clock_pj
            cost["leakage_uw"][place] = core.leakage_uw + registers.leakage_uw
        return cls(
            reachable=reachable,
            **cost,
            accumulator_bits=np.array([pe.accumulator_bits for pe in pes], float),
            operand_bits=np.array([_operand_bits(pe) for pe in pes]).T,
            passes=np.array([pe.passes for pe in pes], float).T,
            tile=np.array([pe.tile for pe in pes], float).T,
        )


def _operand_bits(pe: PE) -> tuple[float, float]:
    m, n, k, cycles = pe.tile
    a, w = (f.element_bits + f.bits - f.element.bits for f in (pe.activation, pe.weight))
    return pe.passes[0] * m * k * a / cycles, pe.passes[1] * n * k * w / cycles


def _period_ps(clock_mhz: float | str) -> float:
    """The period of a clock, 0 for the fastest."""
    return 0.0 if clock_mhz == "max" else 1e6 / float(clock_mhz)


@dataclass(frozen=True)
class OperatorTable:
    """Dimensions [operator] and, by [policy, operator], bytes in DRAM, bits in the buffer and vector operations.

    A product reads operand A (activations) and operand B (weights or KV cache) and writes C. ``accepts`` tells, by
    [policy, pe, operator], which products run on the array; the others run on the vector unit. ``a_width`` and
    ``b_width`` are bytes in the buffer for each [m, k] and [k, n] of a product; it holds the input of a convolution as
    it is, not unfolded, and activations that fusion leaves on chip. Besides an operator's own work, ``vector_ops``
    holds the quantization of what it writes or is left on chip for it, and the conversion of what it reads;
    ``array_ops`` and ``fallback_ops`` what a product adds on the array (scales that no PE applies) and on the vector
    unit (conversion to FP16 and the products themselves). ``resident_bytes`` [policy] is what DRAM has to hold.
    """

    count: Array
    batch: Array
    m: Array
    n: Array
    k: Array
    macs: Array
    is_gemm: NDArray[np.bool_]
    a_bytes: Array
    b_bytes: Array
    c_bytes: Array
    a_bits: Array
    b_bits: Array
    a_width: Array
    b_width: Array
    vector_ops: Array
    array_ops: Array
    fallback_ops: Array
    accepts: NDArray[np.bool_]
    resident_bytes: Array

    @classmethod
    def of(cls, choices: Choices, workload: Workload) -> OperatorTable:
        """Tabulate ``workload`` under every policy and PE of ``choices``."""
        columns = workload.columns()
        by_policy = [_under_policy(policy, workload) for policy in choices.values["policy"]]
        stacked = {name: np.array([table[name] for table in by_policy]) for name in by_policy[0]}
        return cls(
            **{name: columns[name] for name in ("count", "batch", "m", "n", "k", "macs")},
            **stacked,
            is_gemm=np.array([operator.is_gemm for operator in workload.operators]),
            accepts=np.array(
                [
                    [_accepted(pe, policy, workload) for pe in choices.values["pe"]]
                    for policy in choices.values["policy"]
                ]
            ),
        )


def _under_policy(policy: Policy, workload: Workload) -> dict[str, Any]:
    frame = workload.to_frame(policy)
    attention = (frame["kind"] == "attention").to_numpy()
    kv_bytes = frame["kv_bytes"].to_numpy()
    rows = [
        _operator_work(operator, operands)
        for operator, operands in zip(workload.operators, workload.operands(policy), strict=True)
    ]
    return {
        "resident_bytes": workload.resident_bytes(policy),
        "a_bytes": frame["activation_bytes"].to_numpy(),
        "b_bytes": frame["weight_bytes"].to_numpy() + np.where(attention, kv_bytes, 0),
        "c_bytes": frame["output_bytes"].to_numpy() + np.where(attention, 0, kv_bytes),
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
    }


def _operator_work(operator: Operator, operands: Operands) -> dict[str, float]:
    a, b = operands.activations, stationary(operator, operands)
    to_cache = operator.kv_elements if operator.kind != "attention" else 0
    work = dict.fromkeys(("a_bits", "b_bits", "a_width", "b_width", "array_ops", "fallback_ops"), 0.0)
    work["vector_ops"] = operator.vector_ops + QUANTIZE_OPS * (
        operator.output_elements * _is_quantized(a.storage) + to_cache * _is_quantized(operands.kv_cache.storage)
    )
    if not operator.is_gemm:
        work["vector_ops"] += operator.activation_elements * _is_quantized(a.storage)
        return work
    for operand in (a, b):
        if operand.dequantize == "pe" and operand.compute != operand.storage.element:
            raise InputError(f"{operator.name}: {operand}: no PE converts formats inside; use edge or dram")
    elements = (a, operator.batch * operator.m * operator.k), (b, operator.batch * operator.n * operator.k)
    products = operator.batch * operator.m * operator.n
    work["a_bits"], work["b_bits"] = _buffer_bits(a), _buffer_bits(b)
    if not operator.activation_elements:
        work["vector_ops"] += QUANTIZE_OPS * elements[0][1] * _is_quantized(a.storage)
    held_b = operator.kv_elements if operator.kind == "attention" else operator.weight_elements
    work["a_width"] = work["a_bits"] / 8 * (operator.activation_elements / elements[0][1] or 1)
    work["b_width"] = work["b_bits"] / 8 * held_b / elements[1][1]
    work["array_ops"] = products * max(_scalings(a, operator.k), _scalings(b, operator.k)) + sum(
        count for operand, count in elements if operand.dequantize in ("dram", "edge")
    )
    work["fallback_ops"] = operator.macs + sum(count for operand, count in elements if _is_quantized(operand.storage))
    return work


def _accepted(pe: PE, policy: Policy, workload: Workload) -> list[bool]:
    return [
        operator.is_gemm
        and pe.accepts(stationary(operator, operands).consumed, operands.activations.consumed, operator.k)
        for operator, operands in zip(workload.operators, workload.operands(policy), strict=True)
    ]


def stationary(operator: Operator, operands: Operands) -> OperandFormat:
    """Operand B of a product: the KV cache in attention, otherwise the weights."""
    return operands.kv_cache if operator.kind == "attention" else operands.weights


def dataflow_indices(choices: Choices) -> NDArray[np.intp]:
    """Index into ``DATAFLOWS`` of each dataflow of ``choices``."""
    return np.array([DATAFLOWS.index(dataflow) for dataflow in choices.values["dataflow"]], np.intp)


def _is_quantized(format: Format) -> bool:
    """Whether writing ``format`` takes a scale: everything but floating point of 16 bits and more."""
    return isinstance(format.element, Integer) or format.element_bits < 16


def _buffer_bits(operand: OperandFormat) -> float:
    """Bits that one element takes in the buffer: of its storage, unless it was converted on the way from DRAM."""
    return operand.compute.packed_bits() if operand.dequantize == "dram" else operand.storage.packed_bits()


def _scalings(operand: OperandFormat, k: float) -> float:
    """Vector operations per output element that ``operand``'s scales cost after the products."""
    if operand.dequantize == "group":
        assert operand.storage.block is not None
        return GROUP_OPS * float(np.ceil(k / operand.storage.block))
    if operand.dequantize == "pe":
        return float(isinstance(operand.storage, Scaled) and operand.storage.outer is not None)
    return float(_is_quantized(operand.storage))
