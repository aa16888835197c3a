"""One operator of a network: its dimensions and how many elements of each tensor it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwexplore.errors import InputError

__all__ = ["Kind", "Operator", "Unmodelled"]

LARGEST = 2**53

Kind = Literal[
    "linear",
    "conv",
    "attention",
    "softmax",
    "norm",
    "rotary",
    "activation",
    "residual",
    "embedding",
    "elementwise",
    "pooling",
    "reduction",
    "resize",
    "movement",
    "optimizer",
]


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A GEMM or an elementwise operator; `count` identical ones (folded layers, repeated passes) run.

    Dimensions, element counts and `vector_ops` are those of one such operator over its whole batch. A GEMM is `batch`
    products of `[m, k]` (tokens x reduction) by `[k, n]` (reduction x outputs); the other kinds work on `batch` arrays
    `[m, n]` and have `k = 0`.

    - "linear": `batch` 1, `m` all tokens of the pass. For a mixture of experts `batch` is the expected number of
      experts touched and `m` the expected tokens of each. For the absorbed matrices of latent attention `batch` is the
      number of heads.
    - "conv": the convolution as a matrix product: `batch` groups, `m` images times output positions, `n` output
      channels of a group, `k` input channels of a group times the kernel's positions. `activation_elements` is the
      input tensor once, not its unfolded copy. A transposed convolution has `m` images times input positions and `n`
      output channels of a group times the kernel's positions; `vector_ops` adds up the overlaps.
    - "attention": `batch` sequences times KV heads; the query heads that share a KV head ride in `m`, so K and V are
      read once per group. Also any other product without weights, whose second operand takes the place of the KV cache.
    - "movement" (transpose, concatenation, slicing...) reads and writes without arithmetic.

    `count`, `batch` and `m` may be fractions where they are expected values. InputError if `m`, `n` or `k` is 2**53
    or more.

    `activation_elements` are read, `output_elements` written, `kv_elements` read from the KV cache by attention (its
    second operand, cached or not) and written to it by the K and V projections, which have no other output. Formats
    are the policy's business.
    """

    name: str
    kind: Kind
    count: float = 1
    batch: float = 1
    m: float
    n: int
    k: int = 0
    weight_elements: float = 0
    activation_elements: float = 0
    kv_elements: float = 0
    output_elements: float = 0
    vector_ops: float = 0

    def __post_init__(self) -> None:
        for name in ("m", "n", "k"):
            if getattr(self, name) >= LARGEST:
                raise InputError(
                    f"{self.name} has {name} = {getattr(self, name):.4g}; expected less than 2**53, up to which sizes "
                    "are exact: take a smaller batch or context."
                )

    @property
    def macs(self) -> float:
        """Multiply-accumulates of one such operator; 0 unless it is a GEMM."""
        return self.batch * self.m * self.n * self.k

    @property
    def is_gemm(self) -> bool:
        """Whether this is a matrix product ("linear", "conv" or "attention")."""
        return self.kind in ("linear", "conv", "attention")


@dataclass(frozen=True, kw_only=True)
class Unmodelled:
    """A node of a graph that no operator stands for, and why.

    `elements` are read and written by it, `macs` what is known of its multiply-accumulates; None where nothing is.
    """

    name: str
    op_type: str
    reason: str
    elements: int | None
    macs: float | None
