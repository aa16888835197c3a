"""Nodes that quantize: which format they give a tensor, and the integer products in plain terms.

ONNX operator specification for QuantizeLinear and its kin; QONNX (arXiv 2206.07527) for Quant, BipolarQuant and Trunc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer
from hwexplore.workloads.onnx.tensors import Node, Tensor

__all__ = ["QONNX", "QONNX_DOMAINS", "QUANTIZERS", "float_format", "plain", "quantized_format"]

QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
QONNX = ("BipolarQuant", "IntQuant", "Quant", "Trunc")
QUANTIZERS = ("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear", *QONNX)
"""What changes the format of its first input and nothing else."""

TYPES = {
    "FLOAT": "fp32",
    "DOUBLE": "fp32",
    "FLOAT16": "fp16",
    "BFLOAT16": "bf16",
    "FLOAT8E4M3FN": "e4m3",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT6E2M3": "e2m3",
    "FLOAT6E3M2": "e3m2",
    "FLOAT4E2M1": "e2m1",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (2, 4, 8, 16, 32)},
}
"""Formats of ONNX's element types; float64, which no accelerator here computes in, counts as fp32."""

PLAIN: Mapping[str, tuple[str, tuple[int, ...], tuple[tuple[int, int, int], ...]]] = {
    "QLinearConv": ("Conv", (0, 3, 8), ((0, 1, 2), (3, 4, 5))),
    "QLinearMatMul": ("MatMul", (0, 3), ((0, 1, 2), (3, 4, 5))),
    "ConvInteger": ("Conv", (0, 1), ((0, -1, 2), (1, -1, 3))),
    "MatMulInteger": ("MatMul", (0, 1), ((0, -1, 2), (1, -1, 3))),
}
"""Operator type, inputs, and (tensor, scale, zero point) of the operands of the same product without quantization."""


def float_format(tensor: Tensor) -> Format:
    """The format of a tensor that is not quantized: its type's, fp32 where that is no number format."""
    return Format.parse(TYPES.get(tensor.type, "fp32"))


def plain(node: Node) -> Node:
    """A quantized product as the product of two quantized tensors; other nodes as they are."""
    if node.op_type not in PLAIN:
        return node
    op_type, places, operands = PLAIN[node.op_type]
    inputs = list(node.inputs)
    for place, scale, zero_point in operands:
        tensor = node.tensor(place)
        scales = [parameter for parameter in map(node.optional, (scale, zero_point)) if parameter and scale >= 0]
        inputs[place] = replace(tensor, format=tensor.format or _scaled(tensor.type, scales, block=0))
    kept = tuple(inputs[place] if place < len(inputs) else None for place in places)
    return replace(node, op_type=op_type, inputs=kept)


def quantized_format(node: Node) -> Format | None:
    """The format that one of ``QUANTIZERS`` gives its output; None for one that passes 32-bit integers through."""
    x = node.tensor(0)
    if node.op_type == "BipolarQuant":
        return Format.parse("bipolar1" + _granularity([node.tensor(1)]))
    if node.op_type == "Trunc":
        signed = "u" if isinstance(x.format, Integer) and not x.format.signed else ""
        return Format.parse(f"{signed}int{_bits(node, 4)}")
    if node.op_type in QONNX:
        return _qonnx(node)
    scales = [parameter for parameter in (node.optional(1), node.optional(2)) if parameter]
    type_ = x.type if node.op_type == "DequantizeLinear" else node.output.type
    if type_ == "INT32":
        return x.format
    return _scaled(type_, scales, block=node.integer("block_size", 0))


def _qonnx(node: Node) -> Format:
    """Quant(x, scale, zero point, bit width), attributes signed and narrow."""
    bits, signed, narrow = _bits(node, 3), node.integer("signed", 1), node.integer("narrow", 0)
    integer = f"int{bits}" if signed else f"uint{bits}"
    symmetric = "s" if signed and narrow and bits > 1 else ""
    return Format.parse(integer + symmetric + _granularity([node.tensor(1)]))


def _bits(node: Node, index: int) -> int:
    width = node.tensor(index).value
    if width is None or not (1 <= width <= 32 and float(width).is_integer()):
        raise InputError(f"{node}: the bit width is {width}; expected a constant from 1 to 32.")
    return int(width)


def _scaled(type_: str, parameters: list[Tensor], block: int) -> Format:
    """A type with a scale per tensor, per channel or per block; two parameters are a scale and a zero point."""
    if type_ not in TYPES:
        raise InputError(f"quantized tensors have type {type_}; expected one of {', '.join(TYPES)}.")
    name = TYPES[type_]
    if block:
        asymmetric = len(parameters) > 1 and type_.startswith("UINT")
        return Format.parse(f"{name.removeprefix('u') if asymmetric else name}_g{block}{'_asym' * asymmetric}")
    return Format.parse(name + _granularity(parameters))


def _granularity(parameters: list[Tensor]) -> str:
    """A scale of several elements belongs to the channels."""
    return "_channel" if any(parameter.shape and parameter.size > 1 for parameter in parameters) else ""
