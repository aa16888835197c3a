"""What the workload asks for under each policy: one table, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.designs import Choices
from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Scaled
from hwexplore.workloads import OperandFormat, Operands, Operator, Policy, Workload

__all__ = ["OperatorTable", "stationary"]

Array = NDArray[np.float64]

QUANTIZE_OPS = 3
"""Vector operations per element quantized on the fly: absolute maximum, scaling, rounding."""
GROUP_OPS = 2
"""Vector operations per partial sum of a group: scaling and addition."""
WAITING_BITS = 16
"""Of each element that waits for the scale of its row."""

ALWAYS = ("operators", "activation quantization", "requantization", "KV quantization", "activation conversion")
ON_ARRAY = ("output scales", "dequantization after the group", "dequantization at the edge", "dequantization at DRAM")
FALLBACK = ("products in FP16", "conversion to FP16")
"""Terms of the vector unit's work: of every operator, of products on the array, of products on the vector unit."""
PLACES = {"edge": "dequantization at the edge", "dram": "dequantization at DRAM"}
"""Where operands are converted before they enter the array, and what that is called."""


@dataclass(frozen=True)
class OperatorTable:
    """Dimensions [operator] and, by [policy, operator], bytes in DRAM, bits in the buffer and vector operations.

    A product reads operand A (activations) and operand B (weights or KV cache) and writes C. ``a_width`` and
    ``b_width`` are bytes in the buffer for each [m, k] and [k, n] of a product; it holds the input of a convolution as
    it is, not unfolded, and activations that fusion leaves on chip. ``work`` has the vector operations by term:
    ``ALWAYS`` an operator's own and the conversion of what it reads and writes, or is left on chip for it; ``ON_ARRAY``
    and ``FALLBACK`` what a product adds where it runs, with every element converted once. ``edge`` and ``dram``
    [operand, policy, operator] are the elements of A and B that are converted on their way into the array, and into the
    buffer: each time that they go there. ``waiting_bits`` go through the buffer while the absolute maximum of
    their row is sought. ``resident_bytes`` [policy] is what DRAM has to hold.
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
    work: Mapping[str, Array]
    edge: Array
    dram: Array
    waiting_bits: Array
    resident_bytes: Array

    @classmethod
    def of(cls, choices: Choices, workload: Workload) -> OperatorTable:
        """Tabulate ``workload`` under every policy of ``choices``."""
        columns = workload.columns()
        by_policy = [_under_policy(policy, workload) for policy in choices.values["policy"]]
        stacked = {name: np.array([table[name] for table in by_policy]) for name in by_policy[0]}
        return cls(
            **{name: columns[name] for name in ("count", "batch", "m", "n", "k", "macs")},
            work={name: stacked.pop(name) for name in (*ALWAYS, *ON_ARRAY, *FALLBACK)},
            **{name: np.moveaxis(stacked.pop(name), -1, 0) for name in PLACES},
            **stacked,
            is_gemm=np.array([operator.is_gemm for operator in workload.operators]),
        )

    @cached_property
    def vector_ops(self) -> Array:
        """Vector operations of every operator, wherever it runs."""
        return self._sum(ALWAYS)

    @cached_property
    def array_ops(self) -> Array:
        """Vector operations that a product on the array adds."""
        return self._sum(ON_ARRAY)

    @cached_property
    def fallback_ops(self) -> Array:
        """Vector operations that a product on the vector unit adds."""
        return self._sum(FALLBACK)

    def _sum(self, terms: tuple[str, ...]) -> Array:
        return np.asarray(np.sum([self.work[term] for term in terms], axis=0))


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


def _operator_work(operator: Operator, operands: Operands) -> dict[str, Any]:
    a, b = operands.activations, stationary(operator, operands)
    work: dict[str, Any] = dict.fromkeys((*ALWAYS, *ON_ARRAY, *FALLBACK, "a_bits", "b_bits", "a_width", "b_width"), 0.0)
    work |= {place: np.zeros(2) for place in PLACES}
    work["operators"] = operator.vector_ops
    quantized = operator.output_elements * _is_quantized(a.storage)
    cached = operator.kv_elements * _is_quantized(operands.kv_cache.storage) * (operator.kind != "attention")
    work["requantization" if operator.is_gemm else "activation quantization"] = QUANTIZE_OPS * quantized
    work["KV quantization"] = QUANTIZE_OPS * cached
    work["waiting_bits"] = WAITING_BITS * (
        quantized * (a.storage.block is None) + cached * (operands.kv_cache.storage.block is None)
    )
    if not operator.is_gemm:
        work["activation conversion"] = operator.activation_elements * _is_quantized(a.storage)
        return work
    for operand in (a, b):
        if operand.dequantize == "pe" and operand.compute != operand.storage.element:
            raise InputError(f"{operator.name}: {operand}: no PE converts formats inside; use edge or dram")
    elements = (a, operator.batch * operator.m * operator.k), (b, operator.batch * operator.n * operator.k)
    scalings = max(_scalings(a, operator.k), _scalings(b, operator.k))
    by_group = "group" in (a.dequantize, b.dequantize)
    term = "dequantization after the group" if by_group else "output scales"
    work[term] = operator.batch * operator.m * operator.n * scalings
    work["a_bits"], work["b_bits"] = _buffer_bits(a), _buffer_bits(b)
    if not operator.activation_elements:
        work["activation quantization"] += QUANTIZE_OPS * elements[0][1] * _is_quantized(a.storage)
    held_b = operator.kv_elements if operator.kind == "attention" else operator.weight_elements
    work["a_width"] = work["a_bits"] / 8 * (operator.activation_elements / elements[0][1] or 1)
    work["b_width"] = work["b_bits"] / 8 * held_b / elements[1][1]
    for number, (operand, count) in enumerate(elements):
        if operand.dequantize in PLACES:
            work[operand.dequantize][number] = count
            work[PLACES[operand.dequantize]] += count
        work["conversion to FP16"] += count * _is_quantized(operand.storage)
    work["products in FP16"] = operator.macs
    return work


def stationary(operator: Operator, operands: Operands) -> OperandFormat:
    """Operand B of a product: the KV cache in attention, otherwise the weights."""
    return operands.kv_cache if operator.kind == "attention" else operands.weights


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
