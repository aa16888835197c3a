"""Cycles of a matrix product on a systolic array whose operands come in while it works, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Feed"]

Array = NDArray[np.float64]
Step = tuple[Array, Array, Array | bool]
"""Tiles of m and of k that a step works on, and whether it ends the sums over k."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """How operands get to an array: through double-buffered memories, on one bus. Fields may be arrays.

    A step works on up to ``depth`` tiles of the dimension that streams. ``activations``, ``weights`` and ``parameters``
    are the cycles that the bus takes for one beat of all rows, for one of all columns (0 if it comes along with that of
    the rows, as it may for os), and for what the vector unit needs to know of all columns; ``pipeline`` those from the
    end of the last step to that of the product.
    """

    depth: ArrayLike
    activations: ArrayLike
    weights: ArrayLike
    parameters: ArrayLike = 0
    pipeline: ArrayLike = 0

    def cycles(
        self, m: Array, n: Array, k: Array, rows: Array, cols: Array, beat: Array, latency: Array, dataflow: str
    ) -> Array:
        """Cycles of products of so many tiles, ``beat`` cycles each; ``dataflow`` is os or ws.

        Steps go over k, then m, then n. While one works, the operands of the next come in, and the longer of the two
        counts. Steps of os within a sum follow one another at once; only the last one fills and drains the array.
        """
        is_os = dataflow == "os"
        of_m, m_first, m_last = _cut(m, rows if is_os else self.depth)
        of_k, k_first, k_last = _cut(k, self.depth if is_os else rows)
        of_n = np.ceil(n / cols)

        def load(m: Array, k: Array, last: Array | bool) -> Array:
            activations, weights = (k, k) if is_os else (m, rows)
            beats = activations * np.asarray(self.activations) + weights * np.asarray(self.weights)
            return np.asarray(beat * beats + np.where(last, np.asarray(self.parameters), 0))

        def work(m: Array, k: Array, last: Array | bool) -> Array:
            if is_os:
                return np.asarray(beat * k + np.where(last, 2 * rows + cols + latency - 3, 0))
            return np.asarray(beat * (2 * rows + m - 1) + cols + latency - 2)

        def both(step: Step, following: Step) -> Array:
            return np.maximum(work(*step), load(*following))

        first, final = (m_first, k_first, of_k == 1), (m_last, k_last, True)
        total = load(*first) + work(*final) + (of_n - 1) * both(final, first) + np.asarray(self.pipeline)
        for m_next, count in ((m_first, np.maximum(of_m - 2, 0)), (m_last, np.minimum(of_m - 1, 1))):
            total = total + of_n * count * both((m_first, k_last, True), (m_next, k_first, of_k == 1))
        for m_size, count in ((m_first, of_n * (of_m - 1)), (m_last, of_n)):
            inner = (m_size, k_first, False)
            total = total + count * np.maximum(of_k - 2, 0) * both(inner, inner)
            total = total + count * np.minimum(of_k - 1, 1) * both(inner, (m_size, k_last, True))
        return np.asarray(total)


def _cut(size: Array, limit: ArrayLike) -> tuple[Array, Array, Array]:
    """How many pieces up to ``limit`` make up ``size``, the size of the first and that of the last."""
    first = np.minimum(size, limit)
    count = np.ceil(size / first)
    return count, first, size - (count - 1) * first
