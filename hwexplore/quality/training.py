"""The scaling law of training in floating point (Capybara, arXiv 2501.02423)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError

__all__ = ["CHANNEL_WISE", "best_split", "critical_tokens", "training_loss"]

N_SCALE, N_POWER = 69.2343, 0.2368
D_SCALE, D_POWER = 68973.0621, 0.5162
FLOOR = 1.9061
PRECISION_SCALE, EXPONENT_POWER, MANTISSA_POWER = 11334.5197, 3.1926, 2.9543
CHANNEL_WISE = 2**13.1567
"""Elements of the block that stands for one scale per channel, in the paper's fit."""


def training_loss(
    parameters: ArrayLike, tokens: ArrayLike, exponent_bits: ArrayLike, mantissa_bits: ArrayLike, block: ArrayLike = 128
) -> NDArray[np.float64]:
    """Loss of a language model of ``parameters`` trained on ``tokens``; all arguments broadcast.

    The operands of the matrix products that the paper quantizes have a sign, ``exponent_bits`` and ``mantissa_bits``,
    and one scale per ``block`` elements.
    """
    n, d = np.asarray(parameters, float), np.asarray(tokens, float)
    clean = N_SCALE / n**N_POWER + D_SCALE / d**D_POWER + FLOOR
    return np.asarray(clean + d**D_POWER * _precision(n, exponent_bits, mantissa_bits, block))


def critical_tokens(
    parameters: ArrayLike, exponent_bits: ArrayLike, mantissa_bits: ArrayLike, block: ArrayLike = 128
) -> NDArray[np.float64]:
    """Tokens beyond which training on more makes `training_loss` worse; all arguments broadcast."""
    precision = _precision(np.asarray(parameters, float), exponent_bits, mantissa_bits, block)
    return np.asarray((D_SCALE / precision) ** (1 / (2 * D_POWER)))


def best_split(bits: int) -> tuple[int, int]:
    """(exponent bits, mantissa bits) of least `training_loss` among minifloats of ``bits``, 3 to 16, sign included."""
    if not 3 <= bits <= 16:
        raise InputError(f"bits = {bits} must be 3 to 16, the widths of the law's figure")
    exponent = np.arange(bits)
    best = int(_precision(np.array(1.0), exponent, bits - 1 - exponent, 2).argmin())
    return best, bits - 1 - best


def _precision(
    n: NDArray[np.float64], exponent_bits: ArrayLike, mantissa_bits: ArrayLike, block: ArrayLike
) -> NDArray[np.float64]:
    """What quantization adds to the loss, over tokens^D_POWER."""
    exponent = (np.asarray(exponent_bits) + 0.5) ** EXPONENT_POWER
    mantissa = (np.asarray(mantissa_bits) + 0.5) ** MANTISSA_POWER
    return np.asarray(np.log2(block) / (n**N_POWER * PRECISION_SCALE * exponent * mantissa))
