"""Neighbours of designs: those that differ in one parameter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS
from hwexplore.search.space import Space

__all__ = ["neighbours"]

Ids = NDArray[np.int64]


def neighbours(space: Space, ids: Ids) -> Ids:
    """The designs, ``ids`` themselves among them, that differ from one of ``ids`` in at most one parameter, ascending.

    Parameters that follow from others follow. Constraints are not looked at.
    """
    index = space.indices(ids)
    found = [ids]
    for name, size in zip(PARAMETERS, space.shape, strict=True):
        found += [space.ids({**index, name: np.full_like(index[name], value)}) for value in range(size)]
    return np.unique(np.concatenate(found))
