from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.special import log_softmax as reference_log_softmax

from hwexplore.quality.networks.primitives import attention, log_softmax, rms_norm, rotate, silu, softmax

rng = np.random.default_rng(0)


def test_softmax_and_silu_against_scipy() -> None:
    x = rng.standard_normal((4, 9)) * 50
    np.testing.assert_allclose(log_softmax(x), reference_log_softmax(x, -1))
    np.testing.assert_allclose(softmax(x), np.exp(reference_log_softmax(x, -1)))
    np.testing.assert_allclose(silu(x), x * expit(x), atol=1e-12)


def test_rms_norm_has_unit_power() -> None:
    x = rng.standard_normal((4, 64)) * 30
    np.testing.assert_allclose(np.mean(rms_norm(x, np.ones(64), 1e-5) ** 2, -1), 1, rtol=1e-5)


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    q, k = (np.tile(rng.standard_normal(8), (6, 1)) for _ in range(2))
    scores = rotate(q, 1e4) @ rotate(k, 1e4).T
    for distance in range(-5, 6):
        np.testing.assert_allclose(np.diag(scores, distance), np.diag(scores, distance)[0])
    np.testing.assert_allclose(rotate(rotate(q, 1e4), 1e4, -1), q)


def naive(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, stored: tuple[np.ndarray, np.ndarray], recent: int
) -> np.ndarray:
    """A token after the other, as a decoder with a cache runs."""
    out = np.zeros_like(q)
    for now in range(len(q)):
        old = max(now + 1 - recent, 0)
        keys = np.concatenate([stored[0][:old], k[old : now + 1]])
        values = np.concatenate([stored[1][:old], v[old : now + 1]])
        out[now] = softmax(keys @ q[now] / np.sqrt(q.shape[1])) @ values
    return out


@pytest.mark.parametrize("recent", [0, 1, 3, 10])
def test_attention_as_a_decoder_runs_it(recent: int) -> None:
    q, k, v, k_stored, v_stored = rng.standard_normal((5, 6, 4))
    ours = attention(q, k, v, (k_stored, v_stored), recent)
    np.testing.assert_allclose(ours, naive(q, k, v, (k_stored, v_stored), recent))
    np.testing.assert_allclose(attention(q, k, v), naive(q, k, v, (k, v), 0))
