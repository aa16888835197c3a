"""What a transformer is made of besides linear layers, on arrays of floats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "attend", "attention", "log_softmax", "rms_norm", "rotate", "sigmoid", "silu", "softmax"]

Array = NDArray[Any]
"""Of floats: float32 in use, float64 where gradients are checked."""


def rms_norm(x: Array, gain: Array, epsilon: float) -> Array:
    """``x`` [..., n] over its root mean square, times ``gain`` [n]; ``epsilon`` is added to the mean square."""
    return np.asarray(x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * gain)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray((1 + np.tanh(x / 2)) / 2)


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def softmax(x: Array) -> Array:
    """exp(x) normalised over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def log_softmax(x: Array) -> Array:
    """The logarithm of `softmax`, in nats."""
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def rotate(x: Array, base: float, direction: int = 1) -> Array:
    """Rotary positions (RoFormer, arXiv 2104.09864, eq. 34; halves paired) on ``x`` [..., time, n], n even.

    Pair i turns by ``base`` ** (-2 i / n) per token. ``direction`` -1 turns back, which is also the gradient.
    """
    time, n = x.shape[-2:]
    angles = np.outer(np.arange(time), base ** (-np.arange(0, n, 2) / n))
    cos, sin = np.cos(angles).astype(x.dtype), direction * np.sin(angles).astype(x.dtype)
    a, b = x[..., : n // 2], x[..., n // 2 :]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def attend(q: Array, k: Array) -> Array:
    """Causal attention's probabilities [..., time, time] of queries and keys [..., time, n]."""
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    return softmax(np.where(_age(q.shape[-2]) >= 0, scores, -np.inf))


def attention(q: Array, k: Array, v: Array, stored: tuple[Array, Array] | None = None, recent: int = 0) -> Array:
    """Causal attention [..., time, n] of queries, keys, values [..., time, n].

    With ``stored`` keys and values, those are read except for the ``recent`` last tokens, the query's own included.
    """
    if stored is None:
        return attend(q, k) @ v
    old = _age(q.shape[-2]) >= recent
    scores = np.where(old, q @ stored[0].swapaxes(-1, -2), q @ k.swapaxes(-1, -2)) / q.shape[-1] ** 0.5
    p = softmax(np.where(_age(q.shape[-2]) >= 0, scores, -np.inf))
    return np.asarray((p * old) @ stored[1] + (p * ~old) @ v)


def _age(time: int) -> NDArray[np.int64]:
    """Tokens since the key, [query, key]; negative in the future."""
    return np.arange(time)[:, None] - np.arange(time)
