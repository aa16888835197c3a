"""The backward pass of operators, and the update of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hwexplore.workloads.operators import Operator
from hwexplore.workloads.primitives import elementwise

__all__ = ["ADAM_OPS", "ADAM_TENSORS", "adam", "backward"]

ADAM_OPS = 12
"""Vector operations per parameter of Adam (arXiv 1412.6980, algorithm 1 as reordered at the end of section 2): 3 for
the first moment, 4 for the second, 5 for square root, epsilon, quotient, step size and difference."""
ADAM_TENSORS = 4
"""Tensors per parameter that the update reads: gradient, master weight and both moments, as in mixed-precision training
(ZeRO, arXiv 1910.02054, section 3.1). The last three are written back."""


def backward(operators: Iterable[Operator]) -> Iterator[Operator]:
    """The operators of the backward pass of a forward pass, from the last to the first.

    A product `C = A B` has two gradients, each of as many MACs: "dgrad", `dA = dC B^T`, and "wgrad", `dB = A^T dC`,
    whose two operands are both no weights; so it is of kind "attention", with `dC` in the place of the KV cache. In
    attention, `B` is keys or values. The gradient of a weight is written where the optimizer counts it. An elementwise
    operator reads its inputs and the gradient of its output, and does twice the operations; a residual addition adds
    the gradients of its branches instead, an embedding those of its rows. Gradients of biases are not counted.
    """
    for operator in reversed(tuple(operators)):
        if operator.is_gemm:
            yield from _product(operator)
        elif operator.kind == "residual":
            yield replace(operator, name=f"backward.{operator.name}")
        elif operator.kind == "embedding":
            rows = elementwise(f"backward.{operator.name}", "residual", operator.m, operator.n, operands=2)
            yield replace(rows, count=operator.count)
        else:
            yield replace(
                operator,
                name=f"backward.{operator.name}",
                activation_elements=operator.activation_elements + operator.output_elements,
                output_elements=operator.activation_elements,
                vector_ops=2 * operator.vector_ops,
            )


def _product(operator: Operator) -> Iterator[Operator]:
    """Both gradients. `k` is an integer, so where `m` is not, `batch` takes up the difference in wgrad."""
    gradient = operator.batch * operator.m * operator.n
    kv_elements = operator.kv_elements if operator.kind == "attention" else 0
    yield replace(
        operator,
        name=f"dgrad.{operator.name}",
        n=operator.k,
        k=operator.n,
        weight_elements=operator.batch * operator.n * operator.k if operator.kind == "linear" else 0,
        activation_elements=gradient,
        kv_elements=kv_elements,
        output_elements=operator.activation_elements,
    )
    tokens = max(1, round(operator.m))
    yield replace(
        operator,
        name=f"wgrad.{operator.name}",
        kind="attention",
        batch=operator.batch if tokens == operator.m else operator.batch * operator.m / tokens,
        m=operator.k,
        k=tokens,
        weight_elements=0,
        kv_elements=gradient,
        output_elements=kv_elements,
    )


def adam(parameters: int) -> Operator:
    """The update of all parameters; its "activations" are in FP32 unless a policy overrides "optimizer".

    It reads gradient, master weight and two moments, writes the last three back, and the working weights in the format
    of the weights. The writing of the gradient, which wgrad does, is counted here too: 32 bytes per parameter in FP32
    and one working weight.
    """
    update = elementwise("optimizer", "optimizer", parameters, 1, operands=ADAM_TENSORS, ops_per_element=ADAM_OPS)
    return replace(update, weight_elements=parameters, output_elements=ADAM_TENSORS * parameters)
