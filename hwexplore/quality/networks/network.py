"""What a network has to offer so that formats can be measured on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from hwexplore.quality.networks.primitives import Array

__all__ = ["Cache", "Linear", "Network", "matmul"]

Linear = Callable[[str, Array, Array], Array]
"""(name, inputs [rows, in], weight [out, in]) -> outputs [rows, out]; a recurrent layer is called again and again."""
Cache = Callable[[str, Array], Array]
"""(name of the layer that writes, keys or values [batch, heads, time, head size]) -> what attention reads."""


def matmul(name: str, x: Array, weight: Array) -> Array:
    """The linear layer in FP32: ``x`` [rows, in], ``weight`` [out, in] -> [rows, out]."""
    return x @ weight.T


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
    def cached(self) -> Sequence[str]:
        """The layers that write a KV cache."""

    def logits(
        self, inputs: NDArray[Any], linear: Linear = matmul, cache: Cache | None = None, recent: int = 0
    ) -> Array:
        """The predictions [predictions, classes] for ``inputs`` [windows, ...].

        ``linear`` computes each of `layers`; ``cache`` gives what is read of what the layers of `cached` write, except
        a query's own and last ``recent`` - 1 tokens.
        """
