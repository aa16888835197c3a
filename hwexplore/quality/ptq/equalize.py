"""Cross-layer weight equalization: channels between two layers brought to the same range."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["equalizing_factors"]


def equalizing_factors(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Factors [h] that divide the rows of ``first`` [h, in] and multiply the columns of ``second`` [out, h].

    s_i = sqrt(max|first_i| max|second_i|) / max|second_i|, after which both ranges of channel i are equal (Nagel et
    al., arXiv 1906.04721, eq. 11); 1 for a channel that is zero on either side. The product does not change if what
    lies between the layers commutes with positive factors.
    """
    rows, columns = np.abs(np.asarray(first, float)).max(1), np.abs(np.asarray(second, float)).max(0)
    used = (rows > 0) & (columns > 0)
    return np.where(used, np.sqrt(np.where(used, rows, 1) / np.where(used, columns, 1)), 1.0)
