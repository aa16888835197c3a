"""Crest factors: how far the largest element that shares a scale stands out."""

from __future__ import annotations

import numpy as np

__all__ = ["CHANNEL", "CREST_FACTORS", "crest_factor"]

CHANNEL = 4096
"""Elements of a channel: the hidden size of Llama-3.1-8B."""

CREST_FACTORS = {"channel": (CHANNEL, 11.97), "block 32": (32, 2.96), "block 16": (16, 2.39), "element": (1, 1.0)}
"""Elements that share a scale and the third quartile of their crest factor, max|x| / rms, over the tensors of
Llama-3.1-8B (arXiv 2510.25602, Table 2); an element alone is its own maximum."""


def crest_factor(block: int | None) -> float:
    """Typical crest factor of ``block`` elements that share a scale, None for a whole channel.

    Table values where there are some, between them a power law in the block size; from 4096 on a channel's.
    """
    sizes, crests = np.array(sorted(CREST_FACTORS.values())).T
    return float(np.exp(np.interp(np.log(block or CHANNEL), np.log(sizes), np.log(crests))))
