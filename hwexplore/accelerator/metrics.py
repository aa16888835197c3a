"""From times, energies and areas to the metrics that designs are compared by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["METRICS", "metrics"]

Array = NDArray[np.float64]

METRICS = {
    "latency_s": ("s", "time of one forward pass"),
    "energy_j": ("J", "energy of one forward pass, static power included"),
    "area_mm2": ("mm2", "cell and macro area of the die"),
    "power_w": ("W", "mean power, energy over latency"),
    "tokens_per_s": ("1/s", "tokens processed per second"),
    "j_per_token": ("J", "energy per token"),
    "tops": ("TOPS", "1e12 operations (two per MAC) per second, achieved"),
    "tops_per_w": ("TOPS/W", "achieved operations per second and watt"),
    "tops_per_mm2": ("TOPS/mm2", "achieved operations per second and area"),
    "edp_js": ("J s", "energy-delay product"),
    "error": ("", "MAC-weighted mean noise-to-signal ratio at the operators' outputs, or a profile's predicted loss"),
}
"""Unit and meaning of every metric."""


def metrics(latency_s: Array, energy_j: Array, area_mm2: Array, macs: float, tokens: float) -> dict[str, Array]:
    """The metrics [design] of passes that do ``macs`` multiply-accumulates for ``tokens`` tokens."""
    operations = 2e-12 * macs
    tops = operations / latency_s
    return {
        "latency_s": latency_s,
        "energy_j": energy_j,
        "area_mm2": area_mm2,
        "power_w": energy_j / latency_s,
        "tokens_per_s": tokens / latency_s,
        "j_per_token": energy_j / tokens,
        "tops": tops,
        "tops_per_w": operations / energy_j,
        "tops_per_mm2": tops / area_mm2,
        "edp_js": energy_j * latency_s,
    }
