"""What a network has to offer so that formats can be measured on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.primitives import Array

__all__ = ["LINEAR", "PRODUCT", "Linear", "Network", "Read", "as_is", "matmul", "product"]

LINEAR = ("weights", "activations")
PRODUCT = ("activations", "kv_cache")
"""What linear layers and the two products of attention read."""

Linear = Callable[[str, Array, Array], Array]
"""(name, inputs [rows, in], weight [out, in]) -> outputs [rows, out]; a recurrent layer is called again and again.

Inputs are [rows, out, in] if each output has its own, as in a depthwise convolution."""
Read = Callable[[str, str, Array], Array]
"""(product of attention, its operand, what there is [batch, heads, time, n]) -> what it reads. Activations are queries
and probabilities, the KV cache keys and values."""


def matmul(name: str, x: Array, weight: Array) -> Array:
    """The linear layer in FP32."""
    return product(x, weight)


def product(x: Array, weight: Array) -> Array:
    """``x`` [rows, in] or [rows, out, in] times ``weight`` [out, in]: [rows, out]."""
    return x @ weight.T if x.ndim == 2 else np.einsum("roi,oi->ro", x, weight)


def as_is(name: str, operand: str, x: Array) -> Array:
    """What there is, in FP32."""
    return x


class Network(Protocol):
    """A network in NumPy. Layers have the names of the operators of the project's workload of the same name."""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """By name; those of `layers` are matrices [out, in]."""

    @property
    def layers(self) -> Sequence[str]:
        """The linear layers that formats for the whole network are for."""

    @property
    def operators(self) -> Mapping[str, tuple[str, ...]]:
        """All that can be quantized, in the order of execution: the operands that each reads, `LINEAR` or `PRODUCT`."""

    @property
    def equalizable(self) -> Sequence[tuple[str, str]]:
        """Pairs of layers with nothing but products between them, so that a factor can move from one to the other."""

    @property
    def one_scale(self) -> bool:
        """Whether all rows of a call share the scale of activations in a format without blocks.

        The windows of a convolution overlap, and each pixel is stored once; the tokens of a text are apart.
        """

    def logits(self, inputs: NDArray[Any], linear: Linear = matmul, read: Read = as_is, recent: int = 0) -> Array:
        """The predictions [predictions, classes] for ``inputs`` [windows, ...].

        ``linear`` computes each of the linear `operators`; ``read`` gives what the products of attention read, but for
        the keys and values of a query's own and last ``recent`` - 1 tokens, which stay as they are.
        """
