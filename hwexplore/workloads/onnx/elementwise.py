"""Nodes that run on the vector unit, and those that only move data."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from hwexplore.workloads.layers import vector
from hwexplore.workloads.onnx.tensors import Node, NotModelledError, Tensor
from hwexplore.workloads.operators import Kind, Operator
from hwexplore.workloads.primitives import OPS_PER_ELEMENT

__all__ = ["VIEWS", "vector_operator"]

VIEWS = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What a network does without touching memory: the output is the input under another shape or name."""

MOVEMENTS = (
    *("CenterCropPad", "Concat", "ConstantOfShape", "DepthToSpace", "Expand", "EyeLike", "Gather", "GatherElements"),
    *("GatherND", "Im2Col", "OneHot", "Pad", "Range", "ReverseSequence", "Scatter", "ScatterElements", "ScatterND"),
    *("Slice", "SpaceToDepth", "Split", "TensorScatter", "Tile", "Transpose", "Trilu"),
)

ACTIVATIONS = {
    "Celu": 6,  # divide, exp, subtract, multiply, maximum and minimum with 0, which add up
    "Clip": 2,  # maximum, minimum
    "Elu": 4,  # exp, subtract, multiply, select
    "Gelu": 5,  # multiply, erf, add, multiply, multiply
    "HardSigmoid": 4,  # multiply, add, maximum, minimum
    "HardSwish": 5,  # HardSigmoid, multiply
    "LeakyRelu": 2,  # multiply, maximum
    "Mish": 5,  # exp, add, log, tanh, multiply
    "PRelu": 2,
    "Relu": 1,  # maximum
    "Selu": 5,  # Elu, multiply
    "Shrink": 3,
    "Sigmoid": 3,  # exp, add, reciprocal
    "Softplus": 3,  # exp, add, log
    "Softsign": 3,  # absolute value, add, divide
    "Swish": 4,  # Sigmoid, multiply
    "Tanh": 1,
    "ThresholdedRelu": 2,  # compare, select
}
"""Vector operations per element: additions, multiplications, comparisons and elementary functions count one each."""

ELEMENTWISE = (
    *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot"),
    *("BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Cos", "Cosh", "Div", "Equal", "Erf", "Exp", "Floor"),
    *("Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul"),
    *("Neg", "Not", "Or", "Pow", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Sub", "Sum", "Tan", "Where"),
    "Xor",
)
"""One vector operation per element and operand after the first."""

SCANS = ("ArgMax", "ArgMin", "CumProd", "CumSum")
REDUCTIONS = {
    "ReduceL1": 2,  # absolute value, add
    "ReduceL2": 2,
    "ReduceLogSum": 1,
    "ReduceLogSumExp": 2,
    "ReduceMax": 1,
    "ReduceMean": 1,
    "ReduceMin": 1,
    "ReduceProd": 1,
    "ReduceSum": 1,
    "ReduceSumSquare": 2,
    **dict.fromkeys(SCANS, 1),
}
"""Vector operations per element read; what is done once per result is left out."""

NORMS = {
    "BatchNormalization": 2,  # multiply, add: the statistics are constants
    **dict.fromkeys(
        ("GroupNormalization", "InstanceNormalization", "LayerNormalization", "MeanVarianceNormalization"),
        OPS_PER_ELEMENT["norm"],
    ),
    "LpNormalization": 3,  # multiply, add, divide
    "RMSNormalization": 4,  # multiply, add; multiply, multiply
}
"""Vector operations per element."""

SOFTMAXES = {
    "Hardmax": 2,  # compare to find the maximum, compare to mark it
    "LogSoftmax": OPS_PER_ELEMENT["softmax"],
    "Softmax": OPS_PER_ELEMENT["softmax"],
}
POOLS = ("AveragePool", "LpPool", "MaxPool")
GLOBAL_POOLS = ("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")


def vector_operator(node: Node) -> Operator:
    """The operator that stands for `node`; NotModelledError for operator types that are not known here."""
    kind = node.op_type
    if kind in MOVEMENTS:
        return _movement(node)
    if kind in ACTIVATIONS:
        return _elementwise(node, "activation", ACTIVATIONS[kind])
    if kind in ELEMENTWISE:
        return _elementwise(node, "elementwise", max(len(node.inputs) - 1, 1))
    if kind in REDUCTIONS:
        return _elementwise(node, "reduction", REDUCTIONS[kind], per=node.tensor(0))
    if kind in NORMS:
        return _elementwise(node, "norm", NORMS[kind])
    if kind in SOFTMAXES:
        return _elementwise(node, "softmax", SOFTMAXES[kind])
    if kind == "RotaryEmbedding":
        return _elementwise(node, "rotary", OPS_PER_ELEMENT["rotary"])
    if kind == "LRN":  # square, add over the window, multiply, add, power, divide
        return _elementwise(node, "norm", node.integer("size", 1) + 5)
    if kind in POOLS:
        return _elementwise(node, "pooling", prod(node.integers("kernel_shape")))
    if kind in GLOBAL_POOLS:
        return _elementwise(node, "pooling", 1, per=node.tensor(0))
    if kind in ("Resize", "Upsample"):
        return _resize(node)
    raise NotModelledError(f"operator type {kind:.80} is not modelled")


def _elementwise(node: Node, kind: Kind, ops: int, per: Tensor | None = None) -> Operator:
    """Reads every input once and writes the first output, with `ops` vector operations per element of `per` or it."""
    reads, weights = _operands(node)
    if node.op_type == "BatchNormalization":
        weights = 2 * node.tensor(1).size
    output = node.output
    return vector(node.name, kind, output.dims, reads=reads, weights=weights, vector_ops=ops * (per or output).size)


def _operands(node: Node) -> tuple[int, int]:
    """Elements read of activations and of weights, each tensor once."""
    tensors = {tensor.name: tensor for tensor in node.inputs if tensor}.values()
    activations = sum(tensor.size for tensor in tensors if not tensor.constant)
    return activations, sum(tensor.size for tensor in tensors if tensor.is_weight)


def _movement(node: Node) -> Operator:
    """Reads no more than it writes, and no more than there is."""
    shape = node.output.dims if len(node.outputs) == 1 else (sum(output.size for output in node.outputs),)
    data = node.inputs[0] if node.inputs else None
    if node.op_type == "Gather" and data and data.constant:
        return vector(node.name, "embedding", shape, reads=0, weights=prod(shape), vector_ops=0)
    reads, weights = _operands(node)
    written = prod(shape)
    activations = min(reads, written)
    return vector(
        node.name, "movement", shape, reads=activations, weights=min(weights, written - activations), vector_ops=0
    )


def _resize(node: Node) -> Operator:
    """Interpolation weighs 2 (linear) or 4 (cubic) neighbours along every axis that changes its size."""
    x, y = node.tensor(0), node.output
    taps: Mapping[object, int] = {b"linear": 2, b"bilinear": 2, b"cubic": 4}
    axes = sum(before != after for before, after in zip(x.dims, y.dims, strict=False))
    neighbours = taps.get(node.attributes.get("mode", b"nearest"), 1) ** axes
    return vector(
        node.name, "resize", y.dims, reads=x.size, vector_ops=(2 * neighbours - 1) * y.size * (neighbours > 1)
    )
