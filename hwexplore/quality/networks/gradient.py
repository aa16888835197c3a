"""The gradient of a decoder's loss, by hand: of its parameters, and of what each product reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwexplore.quality.networks.benchmark import Examples
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.primitives import Array, attend, rotate, sigmoid, softmax

__all__ = ["Gradients", "gradients"]

Operand = tuple[str, str]
"""An operator's name, and weights, activations or kv_cache."""


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """The mean cross entropy in nats of the targets, and its gradient.

    ``parameters`` by name; ``operands`` by operator and operand: what the product read, and the gradient there. Inputs
    are [tokens, in]; queries, keys, values and probabilities [batch, heads, time, n].
    """

    loss: float
    parameters: dict[str, Array]
    operands: dict[Operand, tuple[Array, Array]]


def gradients(model: Decoder, examples: Examples, moved: Mapping[Operand, Array] | None = None) -> Gradients:
    """Of the loss of ``examples``, with ``moved`` added to what the operators read."""
    pass_ = _Pass(model, examples, moved or {})
    return Gradients(loss=pass_.loss, parameters=pass_.parameters, operands=pass_.operands)


class _Pass:
    """One pass forward and back."""

    def __init__(self, model: Decoder, examples: Examples, moved: Mapping[Operand, Array]) -> None:
        self.model, self.moved, self.shape = model, moved, examples.inputs.shape
        self.values: dict[Operand, Array] = {}
        self.outputs: dict[str, Array] = {}
        self.parameters: dict[str, Array] = {}
        self.operands: dict[Operand, tuple[Array, Array]] = {}
        targets = examples.targets.ravel()
        probability = softmax(model.logits(examples.inputs, self._linear, self._read))
        rows = np.arange(targets.size)
        self.loss = float(-np.log(probability[rows, targets]).mean())
        probability[rows, targets] -= 1
        self._back(examples, probability / targets.size)

    def _read(self, name: str, operand: str, x: Array) -> Array:
        self.values[name, operand] = x + self.moved[name, operand] if (name, operand) in self.moved else x
        return self.values[name, operand]

    def _linear(self, name: str, x: Array, weight: Array) -> Array:
        self.outputs[name] = self._read(name, "activations", x) @ self._read(name, "weights", weight).T
        return self.outputs[name]

    def _gradient(self, name: str, operand: str, gradient: Array) -> Array:
        self.operands[name, operand] = self.values[name, operand], gradient
        return gradient

    def _back_linear(self, name: str, dy: Array) -> Array:
        """The gradient at a layer's inputs, from that at its outputs."""
        x, weight = self.values[name, "activations"], self.values[name, "weights"]
        self.parameters[name] = self._gradient(name, "weights", dy.T @ x)
        return self._gradient(name, "activations", dy @ weight)

    def _back_norm(self, name: str, x: Array, dy: Array) -> Array:
        """The gradient at ``x``, from that at its norm."""
        inverse = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.model.epsilon)
        normal = x * inverse
        self.parameters[name] = (dy * normal).sum(0)
        dn = dy * self.model.parameters[name]
        return np.asarray((dn - normal * np.mean(dn * normal, axis=-1, keepdims=True)) * inverse)

    def _back(self, examples: Examples, d: Array) -> None:
        blocks, embedding = (
            [f"layers.{number}" for number in range(self.model.blocks)],
            self.model.parameters["embedding"],
        )
        streams = [embedding[examples.inputs].reshape(len(d), -1)]
        for block in blocks:
            streams += [streams[-1] + self.outputs[f"{block}.out_proj"]]
            streams += [streams[-1] + self.outputs[f"{block}.down_proj"]]
        d = self._back_norm("final_norm", streams.pop(), self._back_linear("lm_head", d))
        for block in reversed(blocks):
            d_hidden = self._back_linear(f"{block}.down_proj", d)
            gate, up = self.outputs[f"{block}.gate_proj"], self.outputs[f"{block}.up_proj"]
            s = sigmoid(gate)
            dx = self._back_linear(f"{block}.up_proj", d_hidden * gate * s)
            dx = dx + self._back_linear(f"{block}.gate_proj", d_hidden * up * s * (1 + gate * (1 - s)))
            d = d + self._back_norm(f"{block}.mlp_norm", streams.pop(), dx)
            dx = self._back_attention(block, self._back_linear(f"{block}.out_proj", d))
            d = d + self._back_norm(f"{block}.attn_norm", streams.pop(), dx)
        self.parameters["embedding"] = np.zeros_like(embedding)
        np.add.at(self.parameters["embedding"], examples.inputs.ravel(), d)

    def _back_attention(self, block: str, d: Array) -> Array:
        """The gradient at the inputs of q_proj, k_proj and v_proj, from that at those of out_proj."""
        qk, sv, base = f"{block}.qk_matmul", f"{block}.sv_matmul", self.model.rotary_base
        q, k = self.values[qk, "activations"], self.values[qk, "kv_cache"]
        p, v = self.values[sv, "activations"], self.values[sv, "kv_cache"]
        group = q.shape[1] // k.shape[1]

        def share(x: Array) -> Array:
            return np.repeat(x, group, axis=1)

        def gather(x: Array) -> Array:
            return np.asarray(x.reshape(x.shape[0], -1, group, *x.shape[2:]).sum(2))

        def join(x: Array) -> Array:
            return x.swapaxes(1, 2).reshape(len(d), -1)

        d_mixed = d.reshape(*self.shape, -1, q.shape[-1]).swapaxes(1, 2)
        dp = self._gradient(sv, "activations", d_mixed @ share(v).swapaxes(-1, -2))
        dv = self._gradient(sv, "kv_cache", gather(p.swapaxes(-1, -2) @ d_mixed))
        softmaxed = attend(q, share(k))
        ds = softmaxed * (dp - (dp * softmaxed).sum(-1, keepdims=True)) / q.shape[-1] ** 0.5
        dq = self._gradient(qk, "activations", ds @ share(k))
        dk = self._gradient(qk, "kv_cache", gather(ds.swapaxes(-1, -2) @ q))
        dx = self._back_linear(f"{block}.v_proj", join(dv))
        dx = dx + self._back_linear(f"{block}.q_proj", join(rotate(dq, base, -1)))
        return dx + self._back_linear(f"{block}.k_proj", join(rotate(dk, base, -1)))
