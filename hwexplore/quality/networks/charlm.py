"""A small character language model: a causal transformer with a forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hwexplore.quality.networks.primitives import Array, attention, rms_norm, rotate, silu

__all__ = ["Cache", "CharLM", "Linear", "matmul"]

Linear = Callable[[str, Array, Array], Array]
"""(name, inputs [tokens, in], weight [out, in]) -> outputs [tokens, out]."""
Cache = Callable[[str, Array], Array]
"""(name of the layer that writes, keys or values [batch, heads, time, head size]) -> what attention reads."""


def matmul(name: str, x: Array, weight: Array) -> Array:
    """The linear layer in FP32: ``x`` [tokens, in], ``weight`` [out, in] -> [tokens, out]."""
    return x @ weight.T


@dataclass(frozen=True, kw_only=True)
class CharLM:
    """A decoder as Llama's: RMSNorm, rotary positions, causal attention, SwiGLU; no biases.

    ``parameters`` by name: ``embedding`` [vocabulary, d]; per block i ``i.attention_norm`` [d], ``i.query``, ``i.key``,
    ``i.value``, ``i.output`` [d, d], ``i.mlp_norm`` [d], ``i.gate``, ``i.up`` [h, d], ``i.down`` [d, h]; ``norm`` [d];
    ``head`` [vocabulary, d].
    """

    parameters: dict[str, Array]
    heads: int

    @property
    def blocks(self) -> int:
        """Transformer blocks."""
        return sum(name.endswith(".query") for name in self.parameters)

    @property
    def layers(self) -> list[str]:
        """The linear layers of the blocks, in the order of execution; embedding and head are not among them."""
        kinds = ("query", "key", "value", "output", "gate", "up", "down")
        return [f"{block}.{kind}" for block in range(self.blocks) for kind in kinds]

    @property
    def equalizable(self) -> list[tuple[str, str]]:
        """Pairs of layers with nothing but products between them, so that a factor can move from one to the other."""
        pairs = (("value", "output"), ("up", "down"))
        return [(f"{block}.{first}", f"{block}.{second}") for block in range(self.blocks) for first, second in pairs]

    def logits(
        self, tokens: NDArray[Any], linear: Linear = matmul, cache: Cache | None = None, recent: int = 0
    ) -> Array:
        """Logits of the next token, [batch * time, vocabulary], for ``tokens`` [batch, time].

        ``linear`` computes each of `layers` and the ``head``; ``cache`` gives the keys (rotated) and values that
        attention reads, except those of a query's own and last ``recent`` - 1 tokens, which stay as they are.
        """
        p = self.parameters
        batch, time = tokens.shape
        stream = p["embedding"][tokens].reshape(batch * time, -1)

        def split(x: Array) -> Array:
            return x.reshape(batch, time, self.heads, -1).swapaxes(1, 2)

        for block in map(str, range(self.blocks)):
            x = rms_norm(stream, p[f"{block}.attention_norm"])
            q, k, v = (split(linear(f"{block}.{kind}", x, p[f"{block}.{kind}"])) for kind in ("query", "key", "value"))
            q, k = rotate(q), rotate(k)
            stored = None if cache is None else (cache(f"{block}.key", k), cache(f"{block}.value", v))
            mixed = attention(q, k, v, stored, recent).swapaxes(1, 2).reshape(batch * time, -1)
            stream = stream + linear(f"{block}.output", mixed, p[f"{block}.output"])
            x = rms_norm(stream, p[f"{block}.mlp_norm"])
            gate, up = (linear(f"{block}.{kind}", x, p[f"{block}.{kind}"]) for kind in ("gate", "up"))
            stream = stream + linear(f"{block}.down", silu(gate) * up, p[f"{block}.down"])
        return linear("head", rms_norm(stream, p["norm"]), p["head"])
