"""What a network has to offer so that formats can be measured on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.primitives import Array

__all__ = ["Cache", "Linear", "Network", "matmul", "product"]

Linear = Callable[[str, Array, Array], Array]
"""(name, inputs [rows, in], weight [out, in]) -> outputs [rows, out]; a recurrent layer is called again and again.

Inputs are [rows, out, in] if each output has its own, as in a depthwise convolution."""
Cache = Callable[[str, Array], Array]
"""(name of the layer that writes, keys or values [batch, heads, time, head size]) -> what attention reads."""


def matmul(name: str, x: Array, weight: Array) -> Array:
    """The linear layer in FP32."""
    return product(x, weight)


def product(x: Array, weight: Array) -> Array:
    """``x`` [rows, in] or [rows, out, in] times ``weight`` [out, in]: [rows, out]."""
    return x @ weight.T if x.ndim == 2 else np.einsum("roi,oi->ro", x, weight)


class Network(Protocol):
    """A network in NumPy. Layers have the names of the operators of the project's workload of the same name."""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """By name; those of `layers` are matrices [out, in]."""

    @property
    def layers(self) -> Sequence[str]:
        """What can be quantized, in the order of execution."""

    @property
    def equalizable(self) -> Sequence[tuple[str, str]]:
        """Pairs of layers with nothing but products between them, so that a factor can move from one to the other."""

    @property
    def one_scale(self) -> bool:
        """Whether all rows of a call share the scale of activations in a format without blocks.

        The windows of a convolution overlap, and each pixel is stored once; the tokens of a text are apart.
        """

    @property
    def cached(self) -> Sequence[str]:
        """The layers that write a KV cache."""

    def logits(
        self, inputs: NDArray[Any], linear: Linear = matmul, cache: Cache | None = None, recent: int = 0
    ) -> Array:
        """The predictions [predictions, classes] for ``inputs`` [windows, ...].

        ``linear`` computes each of `layers`; ``cache`` gives what is read of what the layers of `cached` write, except
        a query's own and last ``recent`` - 1 tokens.
        """
