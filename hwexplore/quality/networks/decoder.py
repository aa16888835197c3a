"""Decoders of Llama's kind with a forward pass in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.network import LINEAR, PRODUCT, Linear, Read, as_is, matmul
from hwexplore.quality.networks.primitives import Array, attention, rms_norm, rotate, silu

__all__ = ["Decoder"]

LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "gate_proj", "up_proj", "down_proj")

PRODUCTS = ("qk_matmul", "sv_matmul")


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """RMSNorm, rotary positions (halves paired), causal attention with grouped queries, SwiGLU; no biases.

    ``parameters`` by name: ``embedding`` [vocabulary, d]; per block i ``layers.i.attn_norm`` [d], ``layers.i.q_proj``
    [heads * n, d], ``k_proj``, ``v_proj`` [kv heads * n, d], ``out_proj`` [d, heads * n], ``mlp_norm`` [d],
    ``gate_proj``, ``up_proj`` [h, d], ``down_proj`` [d, h]; ``final_norm`` [d]; ``lm_head`` [vocabulary, d], which
    may be the embedding. ``epsilon`` is that of the norms, ``rotary_base`` that of the positions' angles.
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
    def operators(self) -> dict[str, tuple[str, ...]]:
        """The layers, attention's ``qk_matmul`` and ``sv_matmul`` of each block, and the ``lm_head``."""
        kinds = (*LAYERS[:3], *PRODUCTS, *LAYERS[3:])
        names = [f"layers.{block}.{kind}" for block in range(self.blocks) for kind in kinds]
        return {name: PRODUCT if name.endswith(PRODUCTS) else LINEAR for name in (*names, "lm_head")}

    @property
    def one_scale(self) -> bool:
        """No: one for each token."""
        return False

    def logits(self, inputs: NDArray[Any], linear: Linear = matmul, read: Read = as_is, recent: int = 0) -> Array:
        """Logits of the next token, [batch * time, vocabulary], for the tokens ``inputs`` [batch, time].

        ``linear`` computes each of `layers` and the ``lm_head``; ``read`` gives the queries, keys (both rotated),
        probabilities and values that attention reads, but for keys and values of a query's own and last ``recent`` - 1
        tokens, which stay as they are.
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
            qk, sv = (f"{block}.{product}" for product in PRODUCTS)
            stored = share(read(qk, "kv_cache", k)), share(read(sv, "kv_cache", v))
            weigh = partial(read, sv, "activations")
            mixed = attention(read(qk, "activations", q), share(k), share(v), stored, recent, weigh)
            mixed = mixed.swapaxes(1, 2).reshape(batch * time, -1)
            stream = stream + linear(f"{block}.out_proj", mixed, p[f"{block}.out_proj"])
            x = rms_norm(stream, p[f"{block}.mlp_norm"], self.epsilon)
            gate, up = (linear(name, x, p[name]) for name in (f"{block}.gate_proj", f"{block}.up_proj"))
            stream = stream + linear(f"{block}.down_proj", silu(gate) * up, p[f"{block}.down_proj"])
        x = rms_norm(stream, p["final_norm"], self.epsilon)
        return linear("lm_head", x, p["lm_head"])
