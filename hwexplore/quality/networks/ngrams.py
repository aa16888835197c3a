"""n-gram models of characters: what a language model has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.corpus import VOCABULARY

__all__ = ["bits_per_character"]


def bits_per_character(train: NDArray[Any], held_out: NDArray[Any], order: int) -> float:
    """Cross entropy of ``held_out`` [windows, 1 + time] under the n-gram counts of ``train`` [characters].

    Witten-Bell smoothing down to the uniform distribution (Witten and Bell, IEEE Trans. Inf. Theory 37(4), 1991,
    method C): p = (count + kinds p_shorter) / (total + kinds). The first character of a window is context only; where
    the context is shorter than ``order`` - 1, so is the n-gram.
    """
    size = len(VOCABULARY)
    probability = np.full(held_out[:, 1:].shape, 1 / size)
    for length in range(1, order + 1):
        counts = np.bincount(_numbers(train, length), minlength=size**length)
        totals = counts.reshape(-1, size).sum(1)
        kinds = (counts.reshape(-1, size) > 0).sum(1)
        first = max(length - 2, 0)  # of those to predict, that has a whole context
        grams = _numbers(held_out[:, 1 if length == 1 else 0 :], length)
        context = grams // size
        seen = totals[context] > 0
        shorter = probability[:, first:]
        mixed = (counts[grams] + kinds[context] * shorter) / np.maximum(totals[context] + kinds[context], 1)
        probability[:, first:] = np.where(seen, mixed, shorter)
    return float(-np.log2(probability).mean())


def _numbers(tokens: NDArray[Any], length: int) -> NDArray[np.int64]:
    """Every n-gram of ``length`` along the last axis as a number."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens.astype(np.int64), length, axis=-1)
    return np.asarray(windows @ len(VOCABULARY) ** np.arange(length)[::-1])
