"""The laws of quantization noise beside what the formats do to random data."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Scaled
from hwexplore.quality.crest import CHANNEL
from hwexplore.quality.distributions import Distribution
from hwexplore.quality.expected import check_scaled, expected_noise
from hwexplore.quality.gaussian import block_maxima, gaussian_noise, measured_overheads
from hwexplore.quality.qsnr import check_signed, theorem_noise

__all__ = ["compare_distributions", "compare_laws"]

CHANNELS = 32
"""Channels of Gaussian data behind a comparison of laws."""
LAYERS = 256
"""Channels of random data behind a comparison of distributions."""


def compare_laws(formats: Iterable[str | Format], seed: int = 0) -> pd.DataFrame:
    """QSNR in dB by both laws and by Monte Carlo, a row per format with scales.

    The data are Gaussian, 32 channels of 4096. Each law takes the crest factor and the scale overhead of every block as
    they are measured, and its noise is averaged over the blocks. Columns: format, element_bits, their means
    crest_factor and scale_overhead, theorem_db (`qsnr`), gaussian_db (`gaussian_noise`), monte_carlo_db, and each law
    minus Monte Carlo, theorem_gap_db and gaussian_gap_db. Raises InputError for a format without scales.
    """
    x = np.random.default_rng(seed).standard_normal((CHANNELS, CHANNEL))
    return pd.DataFrame([_row(Format.parse(f) if isinstance(f, str) else f, x) for f in formats])


def compare_distributions(
    formats: Iterable[str | Format],
    distributions: Iterable[str | Distribution],
    *,
    sigma: float = 1.0,
    channel: int = CHANNEL,
    seed: int = 0,
) -> pd.DataFrame:
    """QSNR in dB by `expected_noise` and by Monte Carlo with the real formats, a row per distribution and format.

    The data are a tensor of 256 rows of ``channel`` elements of standard deviation ``sigma``; outlier channels are
    drawn anew for each row, as of 256 layers. Columns: distribution, format, bits, theory_db, monte_carlo_db, gap_db.
    Raises InputError for a format without scales or with zero points.
    """
    parsed = [check_scaled(format) for format in formats]
    rows = []
    for distribution in (Distribution.parse(d) if isinstance(d, str) else d for d in distributions):
        rng = np.random.default_rng(seed)
        x = sigma * np.concatenate([distribution.sample(rng, 1, channel) for _ in range(LAYERS)])
        for format in parsed:
            noise = expected_noise(format, distribution, sigma=sigma, channel=channel, tensor=x.size)
            theory, measured = -10 * np.log10([noise, np.sum((format.quantize(x) - x) ** 2) / np.sum(x**2)])
            rows.append((str(distribution), str(format), format.bits, theory, measured, theory - measured))
    return pd.DataFrame(rows, columns=["distribution", "format", "bits", "theory_db", "monte_carlo_db", "gap_db"])


def _row(format: Format, x: NDArray[np.float64]) -> dict[str, object]:
    if not isinstance(format, Scaled):
        raise InputError(f"{format} has no scales to measure; compare a scaled format, as {format}_channel")
    if CHANNEL % (format.block or CHANNEL):
        raise InputError(f"the block of {format} is {format.block} elements; it must divide a channel of {CHANNEL}")
    check_signed(format)
    crest = block_maxima(format, x)
    overhead = measured_overheads(format, x)
    theorem, gaussian, measured = (
        -10 * np.log10(np.mean(noise))
        for noise in (
            theorem_noise(format, crest, overhead),
            gaussian_noise(format, crest, overhead),
            (format.quantize(x) - x) ** 2,
        )
    )
    return {
        "format": str(format),
        "element_bits": format.element_bits,
        "crest_factor": crest.mean(),
        "scale_overhead": overhead.mean(),
        "theorem_db": theorem,
        "gaussian_db": gaussian,
        "monte_carlo_db": measured,
        "theorem_gap_db": theorem - measured,
        "gaussian_gap_db": gaussian - measured,
    }
