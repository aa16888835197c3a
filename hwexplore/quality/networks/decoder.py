"""Decoders of Llama's kind with a forward pass in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.network import Cache, Linear, matmul
from hwexplore.quality.networks.primitives import Array, attention, rms_norm, rotate, silu

__all__ = ["Decoder"]

LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """RMSNorm, rotary positions (halves paired), causal attention with grouped queries, SwiGLU; no biases.

    ``parameters`` by name: ``embedding`` [vocabulary, d]; per block i ``layers.i.attn_norm`` [d], ``layers.i.q_proj``
    [heads * n, d], ``k_proj``, ``v_proj`` [kv heads * n, d], ``out_proj`` [d, heads * n], ``mlp_norm`` [d],
    ``gate_proj``, ``up_proj`` [h, d], ``down_proj`` [d, h]; ``final_norm`` [d]; ``lm_head`` [vocabulary, d] unless it
    is the embedding. ``epsilon`` is that of the norms, ``rotary_base`` that of the positions' angles.
    """

    parameters: dict[str, Array]
    heads: int
    epsilon: float = 1e-5
    rotary_base: float = 10_000.0

    @property
    def blocks(self) -> int:
        """Transformer blocks."""
        return sum(name.endswith(".q_proj") for name in self.parameters)

    @property
    def layers(self) -> list[str]:
        """The linear layers of the blocks, in the order of execution; embedding and head are not among them."""
        return [f"layers.{block}.{kind}" for block in range(self.blocks) for kind in LAYERS]

    @property
    def equalizable(self) -> list[tuple[str, str]]:
        """Up and down of each block; value and output too unless several queries share a value."""
        p = self.parameters
        pairs = [
            (f"layers.{block}.{first}", f"layers.{block}.{second}")
            for block in range(self.blocks)
            for first, second in (("v_proj", "out_proj"), ("up_proj", "down_proj"))
        ]
        return [(first, second) for first, second in pairs if p[first].shape[0] == p[second].shape[1]]

    @property
    def one_scale(self) -> bool:
        """No: one for each token."""
        return False

    @property
    def cached(self) -> list[str]:
        """The layers of keys and values."""
        return [f"layers.{block}.{kind}" for block in range(self.blocks) for kind in ("k_proj", "v_proj")]

    def logits(
        self, inputs: NDArray[Any], linear: Linear = matmul, cache: Cache | None = None, recent: int = 0
    ) -> Array:
        """Logits of the next token, [batch * time, vocabulary], for the tokens ``inputs`` [batch, time].

        ``linear`` computes each of `layers` and the ``lm_head``; ``cache`` gives the keys (rotated) and values that
        attention reads, except those of a query's own and last ``recent`` - 1 tokens, which stay as they are.
        """
        p = self.parameters
        batch, time = inputs.shape
        stream = p["embedding"][inputs].reshape(batch * time, -1)
        size = p["layers.0.q_proj"].shape[0] // self.heads

        def split(x: Array) -> Array:
            return x.reshape(batch, time, -1, size).swapaxes(1, 2)

        def share(x: Array) -> Array:
            return np.repeat(x, self.heads // x.shape[1], axis=1)

        for block in (f"layers.{number}" for number in range(self.blocks)):
            x = rms_norm(stream, p[f"{block}.attn_norm"], self.epsilon)
            q, k, v = (split(linear(name, x, p[name])) for name in (f"{block}.{kind}" for kind in LAYERS[:3]))
            q, k = rotate(q, self.rotary_base), rotate(k, self.rotary_base)
            stored = None if cache is None else (share(cache(f"{block}.k_proj", k)), share(cache(f"{block}.v_proj", v)))
            mixed = attention(q, share(k), share(v), stored, recent).swapaxes(1, 2).reshape(batch * time, -1)
            stream = stream + linear(f"{block}.out_proj", mixed, p[f"{block}.out_proj"])
            x = rms_norm(stream, p[f"{block}.mlp_norm"], self.epsilon)
            gate, up = (linear(name, x, p[name]) for name in (f"{block}.gate_proj", f"{block}.up_proj"))
            stream = stream + linear(f"{block}.down_proj", silu(gate) * up, p[f"{block}.down_proj"])
        x = rms_norm(stream, p["final_norm"], self.epsilon)
        return linear("lm_head", x, p.get("lm_head", p["embedding"]))
