"""Measured matrix products: a launch overhead and an efficiency that turn rooflines into times on silicon."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator.presets import Preset
from hwexplore.errors import InputError

__all__ = ["Silicon", "fit", "leave_one_out", "product_s"]

Array = NDArray[np.float64]


class Silicon(NamedTuple):
    """``launch_s`` to start an operator, and ``efficiency``: roofline over measured time without the launch."""

    launch_s: float
    efficiency: float

    def time_s(self, roofline_s: ArrayLike) -> Array:
        """Time on silicon of operators that take ``roofline_s`` at best."""
        return self.launch_s + np.asarray(roofline_s, float) / self.efficiency


def product_s(preset: Preset, m: ArrayLike, n: ArrayLike, k: ArrayLike, *, format: str = "fp16") -> Array:
    """Roofline of products ``[m, k] x [k, n]`` in a 16-bit ``format``, whose bytes move once; the arrays broadcast."""
    m, n, k = (np.asarray(size, float) for size in (m, n, k))
    compute_s = 2 * m * n * k / preset.peak_ops_per_s[format]
    memory_s = 2 * (m * k + k * n + m * n) / preset.bandwidth_bytes_per_s
    return np.asarray(np.maximum(compute_s, memory_s))


def fit(roofline_s: ArrayLike, measured_s: ArrayLike) -> Silicon:
    """Launch overhead and efficiency with the least squares of the relative error, both arrays [measurement].

    InputError for fewer than two measurements, for ones that are not positive, and where no overhead explains them.
    """
    ideal, measured = np.asarray(roofline_s, float), np.asarray(measured_s, float)
    if len(measured) < 2 or not (np.isfinite(measured) & (measured > 0)).all():
        raise InputError(f"measured_s is {measured.tolist()}; expected two or more positive times")
    (launch_s, slope), *_ = np.linalg.lstsq(np.stack([1 / measured, ideal / measured], 1), np.ones_like(measured))
    if launch_s < 0 or slope <= 0:
        raise InputError(
            f"the best launch overhead is {launch_s:.3g} s; expected measurements that grow with the roofline"
        )
    return Silicon(float(launch_s), 1 / float(slope))


def leave_one_out(roofline_s: ArrayLike, measured_s: ArrayLike) -> Array:
    """What the fit to all other measurements predicts for each, [measurement]."""
    ideal, measured = np.asarray(roofline_s, float), np.asarray(measured_s, float)
    rest = ~np.eye(len(measured), dtype=bool)
    return np.array([fit(ideal[kept], measured[kept]).time_s(ideal[~kept])[0] for kept in rest])
