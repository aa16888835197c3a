"""Operators of PyTorch as those of ONNX that mean the same (docs.pytorch.org/docs/stable/torch.html)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

from hwexplore.workloads.onnx.elementwise import ACTIVATIONS, ELEMENTWISE
from hwexplore.workloads.onnx.tensors import Node, Tensor

__all__ = ["SHAPED_LIKE", "as_onnx"]

SHAPED_LIKE = ("empty_like", "full_like", "new_empty", "new_full", "new_ones", "new_zeros", "ones_like", "zeros_like")
"""What depends on no more than the shapes of its tensors."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "Identity": (
        *("_unsafe_view", "alias", "alpha_dropout", "clone", "contiguous", "detach", "dropout", "feature_dropout"),
        *("flatten", "lift_fresh_copy", "reshape", "squeeze", "unflatten", "unsqueeze", "view", "view_as"),
    ),
    # movements
    "Concat": ("cat", "concat", "hstack", "roll", "stack", "vstack"),
    "DepthToSpace": ("pixel_shuffle",),
    "Expand": ("broadcast_to", "expand", "expand_as"),
    "Gather": ("embedding", "index_select"),
    "GatherElements": ("gather", "take_along_dim"),
    "GatherND": ("index",),
    "Im2Col": ("im2col", "unfold"),
    "OneHot": ("one_hot",),
    "Pad": ("constant_pad_nd", "pad", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d"),
    "ReverseSequence": ("flip",),
    "ScatterElements": ("scatter",),
    "ScatterND": ("copy", "index_copy", "index_put", "select_scatter", "slice_scatter"),
    "Slice": ("diagonal", "narrow", "select", "slice"),
    "SpaceToDepth": ("pixel_unshuffle",),
    "Split": ("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_split"),
    "Tile": ("repeat", "repeat_interleave", "tile"),
    "Transpose": ("adjoint", "channel_shuffle", "mT", "movedim", "numpy_T", "permute", "swapaxes", "t", "transpose"),
    "Trilu": ("tril", "triu"),
    # activations
    "Clip": ("clamp", "hardtanh", "relu6"),
    "LeakyRelu": ("leaky_relu",),
    "PRelu": ("_prelu_kernel",),
    "Relu": ("clamp_max", "clamp_min"),
    "Shrink": ("hardshrink", "softshrink"),
    "Softplus": ("log_sigmoid", "log_sigmoid_forward"),
    "Swish": ("glu", "silu"),
    "ThresholdedRelu": ("threshold",),
    # elementwise
    "And": ("logical_and",),
    "Atan": ("atan2",),
    "BitwiseAnd": ("__and__", "bitwise_and"),
    "BitwiseNot": ("bitwise_not",),
    "BitwiseOr": ("__or__", "bitwise_or"),
    "BitwiseXor": ("__xor__", "bitwise_xor"),
    "Cast": ("_to_copy", "to", "type_as"),
    "Div": ("floor_divide",),
    "Equal": ("eq", "ne"),
    "Exp": ("exp2", "expm1"),
    "Floor": ("trunc",),
    "Greater": ("gt",),
    "GreaterOrEqual": ("ge",),
    "Less": ("lt",),
    "LessOrEqual": ("le",),
    "Log": ("log10", "log1p", "log2"),
    "Max": ("max.other", "maximum"),
    "Min": ("min.other", "minimum"),
    "Mod": ("fmod", "remainder"),
    "Mul": ("square",),
    "Not": ("logical_not",),
    "Or": ("logical_or",),
    "Sqrt": ("rsqrt",),
    "Sub": ("rsub",),
    "Sum": ("addcmul",),  # two operations per element
    "Where": ("masked_fill",),
    "Xor": ("logical_xor",),
    # reductions
    "ArgMax": ("argmax",),
    "ArgMin": ("argmin",),
    "CumProd": ("cumprod",),
    "CumSum": ("cumsum",),
    "ReduceL2": ("linalg_vector_norm", "norm"),
    "ReduceLogSumExp": ("logsumexp",),
    "ReduceMax": ("amax", "any", "max"),
    "ReduceMean": ("mean",),
    "ReduceMin": ("all", "amin", "min"),
    "ReduceProd": ("prod",),
    "ReduceSum": ("sum",),
    # normalization
    "GroupNormalization": ("group_norm", "native_group_norm"),
    "InstanceNormalization": ("_native_batch_norm_legit", "instance_norm"),
    "LayerNormalization": ("layer_norm", "native_layer_norm"),
    "LogSoftmax": ("_log_softmax", "log_softmax"),
    "RMSNormalization": ("rms_norm",),
    "Softmax": ("_safe_softmax", "_softmax", "softmax"),
    "MatMul": ("bmm", "dot", "matmul", "mm", "mv"),
}
"""PyTorch's names by ONNX's operator type, where the tensors among the arguments are the operands in order."""

OVERLOADED = ("Max", "Mean", "Min", "Sum")
"""What is elementwise in ONNX and by this name a reduction in PyTorch."""
TYPES = {
    **{op_type.lower(): op_type for op_type in (*ACTIVATIONS, *ELEMENTWISE) if op_type not in OVERLOADED},
    **{name: op_type for op_type, names in NAMES.items() for name in names},
}
NOTHING_IF_EQUAL = ("Cast", "Expand", "Slice")
"""What leaves its input as it is if the output has the same shape and type."""


def as_onnx(node: Node) -> Node:
    """A call of a PyTorch operator, its arguments as attributes, as a node of ONNX; itself if none means the same.

    All tensors have shapes.
    """
    namespace, _, called = node.op_type.partition(".")
    name = called.partition(".")[0]
    if namespace != "aten":
        return node
    if name in CONVERTERS:
        return CONVERTERS[name](node)
    op_type = TYPES.get(called) or TYPES.get(name)
    if op_type is None:
        return node
    if op_type in NOTHING_IF_EQUAL and _like(node.tensor(0)) == _like(node.output):
        op_type = "Identity"
    return replace(node, op_type=op_type, attributes={})


def _like(tensor: Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.type


def _conv(node: Node) -> Node:
    """Images without a batch are a batch of one."""
    x, weight, bias = (node.attributes[name] for name in ("input", "weight", "bias"))
    output, groups = node.output, node.attributes["groups"]
    if len(x.dims) < len(weight.dims):
        x, output = (replace(tensor, shape=(1, *tensor.dims)) for tensor in (x, output))
    transposed = node.attributes.get("transposed", "transpose" in node.op_type)
    return replace(
        node,
        op_type="ConvTranspose" if transposed else "Conv",
        inputs=(x, weight, bias),
        outputs=(output,),
        attributes={"group": groups},
    )


def _linear(node: Node) -> Node:
    """Weights are `[outputs, inputs]`."""
    x, weight, bias = (node.attributes[name] for name in ("input", "weight", "bias"))
    return replace(node, op_type="Gemm", inputs=(_matrix(x), _matrix(weight), bias), attributes={"transB": 1})


def _matrix(tensor: Tensor) -> Tensor:
    *rows, columns = tensor.dims
    return replace(tensor, shape=(prod(rows), columns))


def _addmm(node: Node) -> Node:
    added, left, right = node.inputs
    return replace(node, op_type="Gemm", inputs=(left, right, added), attributes={})


def _einsum(node: Node) -> Node:
    return replace(node, op_type="Einsum", attributes={"equation": node.attributes["equation"].encode()})


def _attention(node: Node) -> Node:
    """Heads are the third axis from the end."""
    heads = (_by_heads(node.attributes[name]) for name in ("query", "key", "value"))
    return replace(node, op_type="Attention", inputs=tuple(heads), attributes={})


def _by_heads(tensor: Tensor) -> Tensor:
    *images, heads, tokens, width = (1, *tensor.dims) if len(tensor.dims) < 3 else tensor.dims
    return replace(tensor, shape=(prod(images), heads, tokens, width))


def _batch_norm(node: Node) -> Node:
    """Where there are no gains, the statistics, which are as many, take their place."""
    x, *rest = node.inputs
    scale = node.attributes["weight"] or node.attributes["running_mean"]
    return replace(node, op_type="BatchNormalization", inputs=(x, scale, *rest), attributes={})


def _pool(node: Node) -> Node:
    return _pooled(node, tuple(node.attributes["kernel_size"]))


def _adaptive_pool(node: Node) -> Node:
    """Every output is taken from its share of the input."""
    sizes = tuple(node.attributes["output_size"])
    places = node.tensor(0).dims[-len(sizes) :]
    return _pooled(node, tuple(-(-place // max(size, 1)) for place, size in zip(places, sizes, strict=True)))


def _pooled(node: Node, kernel: tuple[int, ...]) -> Node:
    op_type = "MaxPool" if "max" in node.op_type else "AveragePool"
    return replace(node, op_type=op_type, attributes={"kernel_shape": kernel})


def _resize(node: Node) -> Node:
    mode = next((mode for mode in ("cubic", "linear") if mode in node.op_type), "nearest")
    return replace(node, op_type="Resize", inputs=node.inputs[:1], attributes={"mode": mode.encode()})


CONVERTERS: Mapping[str, Callable[[Node], Node]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv),
    "linear": _linear,
    "addmm": _addmm,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "_native_batch_norm_legit_no_training": _batch_norm,
    **{f"{pool}_pool{rank}d": _pool for pool in ("avg", "max") for rank in (1, 2, 3)},
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), _pool),
    **{f"{prefix}adaptive_avg_pool{rank}d": _adaptive_pool for prefix in ("", "_") for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d": _adaptive_pool for rank in (1, 2, 3)},
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"), _resize),
    **dict.fromkeys(
        ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d"), _resize
    ),
}
"""What makes a node of ONNX of a call, where more changes than its name."""
