"""The operators that transformers are made of, each from its dimensions."""

from __future__ import annotations

from hwexplore.workloads.operators import Kind, Operator

__all__ = ["OPS_PER_ELEMENT", "elementwise", "linear", "lookup", "matmul"]

OPS_PER_ELEMENT: dict[Kind, int] = {
    "softmax": 5,
    "norm": 7,
    "rotary": 3,
    "activation": 2,
    "residual": 1,
    "embedding": 0,
}
"""Vector operations per output element. Softmax, norm, activation and residual as counted by LLM-Viewer
(arXiv 2402.16363); rotary is two multiplications and an addition."""


def linear(
    name: str, m: float, n: int, k: int, *, bias: bool = False, to_cache: bool = False, batch: float = 1
) -> Operator:
    """Tokens times weights: `batch` matrices `[k, n]`, experts or heads, share the `m` rows evenly.

    With `to_cache` the outputs go to the KV cache.
    """
    return Operator(
        name=name,
        kind="linear",
        batch=batch,
        m=m if batch == 1 else m / batch,
        n=n,
        k=k,
        weight_elements=batch * (n * k + n * bias),
        activation_elements=m * k,
        kv_elements=m * n if to_cache else 0,
        output_elements=0 if to_cache else m * n,
    )


def matmul(
    name: str, batch: float, m: int, n: int, k: int, *, inputs: float | None = None, cached: float | None = None
) -> Operator:
    """`batch` products of `[m, k]` by `[k, n]`, both activations: queries (or probabilities) times keys (or values).

    Of the first operand `inputs` elements are read, of the second `cached`, each once; all of them if it is not said.
    """
    return Operator(
        name=name,
        kind="attention",
        batch=batch,
        m=m,
        n=n,
        k=k,
        activation_elements=batch * m * k if inputs is None else inputs,
        kv_elements=batch * n * k if cached is None else cached,
        output_elements=batch * m * n,
    )


def elementwise(
    name: str,
    kind: Kind,
    m: float,
    n: int,
    *,
    batch: float = 1,
    operands: int = 1,
    ops_per_element: int | None = None,
) -> Operator:
    """Reads `operands` arrays `[batch, m, n]` and writes one."""
    elements = batch * m * n
    return Operator(
        name=name,
        kind=kind,
        batch=batch,
        m=m,
        n=n,
        activation_elements=operands * elements,
        output_elements=elements,
        vector_ops=elements * (OPS_PER_ELEMENT[kind] if ops_per_element is None else ops_per_element),
    )


def lookup(name: str, m: float, n: int) -> Operator:
    """Reads one row of a table per token."""
    return Operator(
        name=name,
        kind="embedding",
        m=m,
        n=n,
        weight_elements=m * n,
        output_elements=m * n,
        vector_ops=OPS_PER_ELEMENT["embedding"] * m * n,
    )
