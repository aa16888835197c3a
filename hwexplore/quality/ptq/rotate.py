"""Hadamard rotation: outliers spread over the elements of a block."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from hwexplore.errors import InputError

__all__ = ["rotate"]


def rotate(x: NDArray[Any], block: int | None = None) -> NDArray[Any]:
    """``x`` [..., n] with each ``block`` of the last axis times the orthonormal Hadamard matrix of that size.

    ``block`` is a power of two that divides n; None: the largest. Rotating activations and weights alike leaves their
    product unchanged, as H H^T = 1 (QuaRot, arXiv 2404.00456); H is symmetric, so twice is the identity.
    Raises InputError for another ``block``.
    """
    n = x.shape[-1]
    size = (n & -n) if block is None else block
    if size < 1 or size & (size - 1) or n % size:
        raise InputError(f"block is {block!r}; rotating {n} elements takes a power of two that divides {n}")
    blocks = x.reshape(*x.shape[:-1], n // size, size)
    return np.asarray(blocks @ _matrix(size).astype(x.dtype)).reshape(x.shape)


@lru_cache(maxsize=32)
def _matrix(size: int) -> NDArray[np.float64]:
    return np.asarray(hadamard(size) / np.sqrt(size))
