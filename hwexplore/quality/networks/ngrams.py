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
    method C): p = (count + kinds p_shorter) / (total + kinds), where ``kinds`` different characters were seen after the
    context. The first character of a window is context only; near it, where the context is shorter than ``order`` - 1,
    so is the n-gram.
    """
    probability = np.full(held_out[:, 1:].shape, 1 / len(VOCABULARY))
    for length in range(1, order + 1):
        first = max(length - 2, 0)  # of those to predict, that has a whole context
        grams = _numbers(held_out[:, 1 if length == 1 else 0 :], length)
        seen, counts = np.unique(_numbers(train, length), return_counts=True)
        contexts, starts = np.unique(seen // len(VOCABULARY), return_index=True)
        count = _look_up(seen, counts, grams)
        total = _look_up(contexts, np.add.reduceat(counts, starts), grams // len(VOCABULARY))
        kinds = _look_up(contexts, np.diff(starts, append=seen.size), grams // len(VOCABULARY))
        mixed = (count + kinds * probability[:, first:]) / np.maximum(total + kinds, 1)
        probability[:, first:] = np.where(total > 0, mixed, probability[:, first:])
    return float(-np.log2(probability).mean())


def _numbers(tokens: NDArray[Any], length: int) -> NDArray[np.int64]:
    """Every n-gram of ``length`` along the last axis as a number."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens.astype(np.int64), length, axis=-1)
    return np.asarray(windows @ len(VOCABULARY) ** np.arange(length)[::-1])


def _look_up(keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value of each wanted key, 0 for one that is not among the sorted ``keys``."""
    places = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[places] == wanted, values[places], 0)
