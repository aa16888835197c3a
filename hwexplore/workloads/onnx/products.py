"""Nodes that are matrix products or convolutions (ONNX operator specification, onnx.ai/onnx/operators)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import prod

from hwexplore.errors import InputError
from hwexplore.workloads.layers import conv, linear, vector
from hwexplore.workloads.onnx.tensors import Node, NotModelledError, Tensor
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.primitives import OPS_PER_ELEMENT, matmul

__all__ = ["PRODUCTS"]


def _conv(node: Node) -> Iterator[Operator]:
    """Y [N, M, *out] = X [N, C, *in] * W [M, C / groups, *kernel] + B [M]."""
    x, w, groups = _convolved(node)
    if w.dims[0] % groups or x.dims[1] != groups * w.dims[1]:
        raise InputError(f"{node}: {x.dims[1]} channels do not fit {groups} groups of weights {list(w.dims)}.")
    images, _, *places = _spatial(node)
    yield conv(
        node.name,
        groups=groups,
        m=images * prod(places),
        n=w.dims[0] // groups,
        k=prod(w.dims[1:]),
        inputs=x.size,
        outputs=node.output.size,
        bias=_size(node.optional(2)),
    )


def _conv_transpose(node: Node) -> Iterator[Operator]:
    """Y [N, M, *out] from X [N, C, *in] and W [C, M / groups, *kernel]: overlapping products are added up."""
    x, w, groups = _convolved(node)
    if x.dims[1] != w.dims[0] or w.dims[0] % groups:
        raise InputError(f"{node}: {x.dims[1]} channels do not fit {groups} groups of weights {list(w.dims)}.")
    images, _, *places = x.dims
    m, n = images * prod(places), prod(w.dims[1:])
    yield conv(
        node.name,
        groups=groups,
        m=m,
        n=n,
        k=w.dims[0] // groups,
        inputs=x.size,
        outputs=node.output.size,
        bias=_size(node.optional(2)),
        vector_ops=groups * m * n,
    )


def _convolved(node: Node) -> tuple[Tensor, Tensor, int]:
    x, w, groups = node.tensor(0, rank=2), node.tensor(1, rank=2), node.integer("group", 1)
    if groups < 1 or len(x.dims) != len(w.dims):
        raise InputError(f"{node}: input {list(x.dims)}, weights {list(w.dims)} and {groups} groups do not fit.")
    return x, w, groups


def _spatial(node: Node) -> tuple[int, ...]:
    if len(node.output.dims) < 2:
        raise InputError(f"{node}: the output has {len(node.output.dims)} dimensions; expected at least 2.")
    return node.output.dims


def _gemm(node: Node) -> Iterator[Operator]:
    """Y [M, N] = A [M, K] B [K, N] + C, A and B stored transposed if the attributes say so."""
    a, b, c = node.tensor(0, rank=2), node.tensor(1, rank=2), node.optional(2)
    m, k = a.dims[::-1] if node.integer("transA", 0) else a.dims
    n = b.dims[0] if node.integer("transB", 0) else b.dims[1]
    yield _product(node, a, b, batch=(1, 1), sizes=(m, n, k), total=m * n, bias=c)


def _matmul(node: Node) -> Iterator[Operator]:
    """NumPy's matmul: stacks of matrices that broadcast."""
    a, b = node.tensor(0, rank=1), node.tensor(1, rank=1)
    k = a.dims[-1]
    if k != (b.dims[-2] if len(b.dims) > 1 else b.dims[0]):
        raise InputError(f"{node}: {list(a.dims)} and {list(b.dims)} do not fit.")
    m, n = a.dims[-2] if len(a.dims) > 1 else 1, b.dims[-1] if len(b.dims) > 1 else 1
    batch = prod(a.dims[:-2]), prod(b.dims[:-2])
    yield _product(node, a, b, batch=batch, sizes=(m, n, k), total=node.output.size)


def _einsum(node: Node) -> Iterator[Operator]:
    """Two operands whose indices are summed (k), shared (batch) or in one of them (m, n)."""
    equation = node.attributes.get("equation", b"")
    text = equation.decode("ascii", "replace").replace(" ", "") if isinstance(equation, bytes) else ""
    match = re.fullmatch(r"([A-Za-z]+),([A-Za-z]+)->([A-Za-z]*)", text)
    if match is None or any(len(set(part)) < len(part) for part in match.groups()):
        raise NotModelledError("only products of two operands without repeated indices are")
    left, right, out = match.groups()
    a, b = node.tensor(0), node.tensor(1)
    if (len(a.dims), len(b.dims)) != (len(left), len(right)):
        raise InputError(f"{node}: equation {text:.40} does not fit {list(a.dims)} and {list(b.dims)}.")
    size = dict(zip(left, a.dims, strict=True)) | dict(zip(right, b.dims, strict=True))
    if set(left + right) - set(out) - (set(left) & set(right)):
        raise NotModelledError("an index is summed in one operand alone")
    shared = set(left) & set(right) & set(out)
    batch = prod(size[i] for i in shared)
    m, n = (prod(size[i] for i in set(side) & set(out) - shared) for side in (left, right))
    k = prod(size[i] for i in set(left) - set(out))
    yield _product(node, a, b, batch=(batch, batch), sizes=(m, n, k), total=batch * m * n)


def _product(
    node: Node,
    a: Tensor,
    b: Tensor,
    *,
    batch: tuple[int, int],
    sizes: tuple[int, int, int],
    total: int,
    bias: Tensor | None = None,
) -> Operator:
    """`batch` matrices [m, k] and [k, n] give `total` elements; the constant operand, if there is one, is the weights.

    The transposed product has the same operations, so weights may stand on either side.
    """
    (m, n, k), (a_batch, b_batch) = sizes, batch
    added = _size(bias)
    if a.constant and not b.constant:
        a, b, m, n, b_batch = b, a, n, m, a_batch
    if min(total, k) == 0:
        raise NotModelledError("it multiplies empty matrices")
    if b.constant:
        return linear(node.name, batch=b_batch, m=total // (n * b_batch), n=n, k=k, inputs=a.size, bias=added)
    return matmul(node.name, batch=b_batch, m=total // (n * b_batch), n=n, k=k, inputs=a.size + added)


def _attention(node: Node) -> Iterator[Operator]:
    """Softmax(Q K') V by heads: tensors [batch, heads, tokens, width] or [batch, tokens, heads x width]."""
    q, k, v = (node.tensor(index, rank=3) for index in range(3))
    heads, kv_heads = node.integer("q_num_heads", 0), node.integer("kv_num_heads", 0)
    if len(q.dims) > 3:
        heads, kv_heads = q.dims[1], k.dims[1]
    if heads < 1 or kv_heads < 1 or heads % kv_heads:
        raise InputError(f"{node}: {heads} query heads do not fit {kv_heads} heads of keys and values.")
    images = q.dims[0]
    past = node.optional(4)
    cached = past.dims[-2] if past and len(past.dims) > 3 else 0
    rows, width, value_width = q.dims[-2], k.dims[-1], v.dims[-1]
    if len(q.dims) == 3:
        width, value_width = width // kv_heads, value_width // kv_heads
    attended = k.dims[-2] + cached
    batch, m = images * kv_heads, rows * heads // kv_heads
    if min(batch, m, attended, width, value_width) == 0:
        raise NotModelledError("it multiplies empty matrices")
    yield matmul(f"{node.name}/qk", batch=batch, m=m, n=attended, k=width)
    shape = images, heads, rows, attended
    scores = prod(shape)
    ops = scores * OPS_PER_ELEMENT["softmax"]
    yield vector(f"{node.name}/softmax", "softmax", shape, reads=scores, vector_ops=ops)
    yield matmul(f"{node.name}/sv", batch=batch, m=m, n=value_width, k=attended)


def _size(tensor: Tensor | None) -> int:
    return tensor.size if tensor else 0


PRODUCTS: Mapping[str, Callable[[Node], Iterator[Operator]]] = {
    "Attention": _attention,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
}
"""What stands for a node, by its operator type."""
