"""The networks that formats are measured on."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from hwexplore.errors import unknown
from hwexplore.quality.networks import charlm, efficientnet_lite0, g2p, smollm2
from hwexplore.quality.networks.benchmark import Benchmark

__all__ = ["NETWORKS", "load"]

NETWORKS = {
    "charlm": charlm.DESCRIPTION,
    "smollm2-135m": smollm2.DESCRIPTION,
    "g2p": g2p.DESCRIPTION,
    "efficientnet-lite0": efficientnet_lite0.DESCRIPTION,
}
"""Name and what it is."""
LOADERS: dict[str, Callable[[], Benchmark]] = {
    "charlm": charlm.load,
    "smollm2-135m": smollm2.load,
    "g2p": g2p.load,
    "efficientnet-lite0": efficientnet_lite0.load,
}


@lru_cache(maxsize=2)
def load(name: str) -> Benchmark:
    """The network of that name with its data.

    Raises InputError for a name that is not in `NETWORKS` and for a package that is not installed.
    """
    if name not in LOADERS:
        raise unknown("network", name, NETWORKS)
    return LOADERS[name]()
