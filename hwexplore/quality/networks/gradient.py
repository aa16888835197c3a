"""The gradient of a decoder's loss, by hand; its heads do not share keys, its head is no embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwexplore.quality.networks.benchmark import Examples
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.primitives import Array, attend, rotate, sigmoid, softmax

__all__ = ["loss_and_gradient"]


def loss_and_gradient(model: Decoder, examples: Examples) -> tuple[float, dict[str, Array]]:
    """Mean cross entropy in nats of the targets and its gradient."""
    p = model.parameters
    inputs: dict[str, Array] = {}
    outputs: dict[str, Array] = {}

    def record(name: str, x: Array, weight: Array) -> Array:
        inputs[name], outputs[name] = x, x @ weight.T
        return outputs[name]

    before, after = examples.inputs, examples.targets.ravel()
    probability = softmax(model.logits(before, record))
    rows = np.arange(after.size)
    loss = float(-np.log(probability[rows, after]).mean())
    gradient: dict[str, Array] = {}

    def back(name: str, dy: Array) -> Array:
        gradient[name] = dy.T @ inputs[name]
        return dy @ p[name]

    streams = [p["embedding"][before].reshape(after.size, -1)]
    for name in (f"layers.{block}" for block in range(model.blocks)):
        streams += [streams[-1] + outputs[f"{name}.out_proj"]]
        streams += [streams[-1] + outputs[f"{name}.down_proj"]]

    probability[rows, after] -= 1
    d, gradient["final_norm"] = _rms_norm_gradient(
        streams.pop(), p["final_norm"], back("lm_head", probability / after.size), model.epsilon
    )
    for block in (f"layers.{number}" for number in reversed(range(model.blocks))):
        d_hidden = back(f"{block}.down_proj", d)
        gate, up = outputs[f"{block}.gate_proj"], outputs[f"{block}.up_proj"]
        s = sigmoid(gate)
        dx = back(f"{block}.up_proj", d_hidden * gate * s)
        dx += back(f"{block}.gate_proj", d_hidden * up * s * (1 + gate * (1 - s)))
        dx, gradient[f"{block}.mlp_norm"] = _rms_norm_gradient(streams.pop(), p[f"{block}.mlp_norm"], dx, model.epsilon)
        d = d + dx
        dx = _attention_gradient(model, block, before.shape, outputs, back, d)
        dx, gradient[f"{block}.attn_norm"] = _rms_norm_gradient(
            streams.pop(), p[f"{block}.attn_norm"], dx, model.epsilon
        )
        d = d + dx
    gradient["embedding"] = np.zeros_like(p["embedding"])
    np.add.at(gradient["embedding"], before.ravel(), d)
    return loss, gradient


def _attention_gradient(
    model: Decoder, block: str, shape: tuple[int, ...], outputs: dict[str, Array], back: Any, d: Array
) -> Array:
    """The gradient at the inputs of query, key and value, from that at the residual stream."""

    def split(x: Array) -> Array:
        return x.reshape(*shape, model.heads, -1).swapaxes(1, 2)

    def join(x: Array) -> Array:
        return x.swapaxes(1, 2).reshape(d.shape[0], -1)

    q, k, v = (split(outputs[f"{block}.{kind}"]) for kind in ("q_proj", "k_proj", "v_proj"))
    q, k = rotate(q, model.rotary_base), rotate(k, model.rotary_base)
    probability = attend(q, k)
    d_mixed = split(back(f"{block}.out_proj", d))
    dp = d_mixed @ v.swapaxes(-1, -2)
    ds = probability * (dp - (dp * probability).sum(-1, keepdims=True)) / q.shape[-1] ** 0.5
    dx = back(f"{block}.v_proj", join(probability.swapaxes(-1, -2) @ d_mixed))
    dx += back(f"{block}.q_proj", join(rotate(ds @ k, model.rotary_base, -1)))
    dx += back(f"{block}.k_proj", join(rotate(ds.swapaxes(-1, -2) @ q, model.rotary_base, -1)))
    return np.asarray(dx)


def _rms_norm_gradient(x: Array, gain: Array, dy: Array, epsilon: float) -> tuple[Array, Array]:
    """The gradients with respect to ``x`` and ``gain``."""
    inverse = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon)
    normal = x * inverse
    dn = dy * gain
    return (dn - normal * np.mean(dn * normal, axis=-1, keepdims=True)) * inverse, (dy * normal).sum(0)
