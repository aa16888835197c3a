"""The gradient of the character language model's loss, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.charlm import CharLM
from hwexplore.quality.networks.primitives import EPSILON, Array, attend, rotate, sigmoid, softmax

__all__ = ["loss_and_gradient"]


def loss_and_gradient(model: CharLM, tokens: NDArray[Any]) -> tuple[float, dict[str, Array]]:
    """Mean cross entropy in nats of ``tokens`` [batch, 1 + time], each from those before it, and its gradient."""
    p = model.parameters
    inputs: dict[str, Array] = {}
    outputs: dict[str, Array] = {}

    def record(name: str, x: Array, weight: Array) -> Array:
        inputs[name], outputs[name] = x, x @ weight.T
        return outputs[name]

    before, after = tokens[:, :-1], tokens[:, 1:].ravel()
    probability = softmax(model.logits(before, record))
    rows = np.arange(after.size)
    loss = float(-np.log(probability[rows, after]).mean())
    gradient: dict[str, Array] = {}

    def back(name: str, dy: Array) -> Array:
        gradient[name] = dy.T @ inputs[name]
        return dy @ p[name]

    streams = [p["embedding"][before].reshape(after.size, -1)]
    for name in map(str, range(model.blocks)):
        streams += [streams[-1] + outputs[f"{name}.output"]]
        streams += [streams[-1] + outputs[f"{name}.down"]]

    probability[rows, after] -= 1
    d, gradient["norm"] = _rms_norm_gradient(streams.pop(), p["norm"], back("head", probability / after.size))
    for block in map(str, reversed(range(model.blocks))):
        d_hidden = back(f"{block}.down", d)
        gate, up = outputs[f"{block}.gate"], outputs[f"{block}.up"]
        s = sigmoid(gate)
        dx = back(f"{block}.up", d_hidden * gate * s)
        dx += back(f"{block}.gate", d_hidden * up * s * (1 + gate * (1 - s)))
        dx, gradient[f"{block}.mlp_norm"] = _rms_norm_gradient(streams.pop(), p[f"{block}.mlp_norm"], dx)
        d = d + dx
        dx = _attention_gradient(model, block, before.shape, outputs, back, d)
        dx, gradient[f"{block}.attention_norm"] = _rms_norm_gradient(streams.pop(), p[f"{block}.attention_norm"], dx)
        d = d + dx
    gradient["embedding"] = np.zeros_like(p["embedding"])
    np.add.at(gradient["embedding"], before.ravel(), d)
    return loss, gradient


def _attention_gradient(
    model: CharLM, block: str, shape: tuple[int, ...], outputs: dict[str, Array], back: Any, d: Array
) -> Array:
    """The gradient at the inputs of query, key and value, from that at the residual stream."""

    def split(x: Array) -> Array:
        return x.reshape(*shape, model.heads, -1).swapaxes(1, 2)

    def join(x: Array) -> Array:
        return x.swapaxes(1, 2).reshape(d.shape[0], -1)

    q, k, v = (split(outputs[f"{block}.{kind}"]) for kind in ("query", "key", "value"))
    q, k = rotate(q), rotate(k)
    probability = attend(q, k)
    d_mixed = split(back(f"{block}.output", d))
    dp = d_mixed @ v.swapaxes(-1, -2)
    ds = probability * (dp - (dp * probability).sum(-1, keepdims=True)) / q.shape[-1] ** 0.5
    dx = back(f"{block}.value", join(probability.swapaxes(-1, -2) @ d_mixed))
    dx += back(f"{block}.query", join(rotate(ds @ k, -1)))
    dx += back(f"{block}.key", join(rotate(ds.swapaxes(-1, -2) @ q, -1)))
    return np.asarray(dx)


def _rms_norm_gradient(x: Array, gain: Array, dy: Array) -> tuple[Array, Array]:
    """The gradients with respect to ``x`` and ``gain``."""
    inverse = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON)
    normal = x * inverse
    dn = dy * gain
    return (dn - normal * np.mean(dn * normal, axis=-1, keepdims=True)) * inverse, (dy * normal).sum(0)
