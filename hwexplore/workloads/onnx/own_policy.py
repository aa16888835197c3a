"""The precision policy that a graph brings along."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from hwexplore.formats import Format
from hwexplore.workloads.onnx.quantization import float_format
from hwexplore.workloads.onnx.tensors import Node, Tensor
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.policy import OperandFormat, Policy

__all__ = ["Formats", "formats_of", "own_policy"]

Formats: TypeAlias = tuple[tuple[str, OperandFormat], ...]
"""Operands of an operator and their formats; those that it does not have are left out."""


def formats_of(operator: Operator, node: Node) -> Formats:
    """The formats of what `operator`, which stands for `node`, reads.

    A quantized operand of a product is converted to the other's format if that is floating point.
    """
    read = [tensor for tensor in node.inputs if tensor]
    if not operator.is_gemm:
        moving = [tensor for tensor in read if not tensor.constant]
        return (("activations", OperandFormat.of(_stored(moving[0]))),) if moving else ()
    a, b = read[:2]
    if operator.kind == "linear" and not b.constant:
        a, b = b, a
    stationary = "kv_cache" if operator.kind == "attention" else "weights"
    compute = None
    if (a.format is None) != (b.format is None):
        compute = float_format(b if a.format else a)
    return tuple((name, OperandFormat.of(_stored(t), compute)) for name, t in (("activations", a), (stationary, b)))


def own_policy(rows: Sequence[tuple[Operator, Formats]]) -> Policy:
    """The policy in which every operator has its formats: those of most MACs, and overrides by name."""
    weight: dict[str, dict[OperandFormat, float]] = defaultdict(lambda: defaultdict(float))
    for operator, formats in rows:
        for operand, format in formats:
            weight[operand][format] += operator.count * operator.macs
    usual = {operand: max(formats, key=lambda format: formats[format]) for operand, formats in weight.items()}
    for operand in ("activations", "weights", "kv_cache"):
        usual.setdefault(operand, usual.get("activations", OperandFormat.parse("fp32")))
    overrides = {
        operator.name: {operand: format for operand, format in formats if format != usual[operand]}
        for operator, formats in rows
    }
    return Policy(**usual, overrides={name: formats for name, formats in overrides.items() if formats})


def _stored(tensor: Tensor) -> Format:
    return tensor.format or float_format(tensor)
