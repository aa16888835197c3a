"""What formats do to one tensor, read twice in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Scaled
from hwexplore.quality.distributions import StudentT
from hwexplore.quality.tensors.histogram import BINS, magnitudes, nearest
from hwexplore.quality.tensors.tensor import Tensor

__all__ = ["check_format", "columns_of", "measure"]

CREST_BLOCK = 32
"""Elements of the blocks whose crest factors are averaged."""


def check_format(format: Format) -> Format:
    """``format``; InputError for one that weights in blocks of rows cannot be cast to."""
    if isinstance(format, Integer):
        raise InputError(
            f"{format} has no scale, and weights are below 1; expected a scaled format, as {format}_channel"
        )
    if isinstance(format, Scaled) and format.outer == "tensor" and format.zero_point:
        raise InputError(f"{format} has zero points and a scale per tensor; expected one of the two")
    if format.rounding == "stochastic":
        raise InputError(f"{format} rounds at random; expected another rounding")
    return format


def columns_of(formats: Sequence[Format]) -> dict[str, Any]:
    """The columns of a row, as they are for a tensor that is skipped."""
    texts = dict.fromkeys(("name", "shape", "dtype"), "") | {"elements": 0}
    numbers = dict.fromkeys(("std", "crest_factor", "block_crest_factor", "kurtosis"), np.nan)
    winners = dict.fromkeys((f"winner_{bits}b" for bits in _contested(formats)), "")
    return {
        **texts,
        **numbers,
        "distribution": "",
        "nu": np.nan,
        **dict.fromkeys(map(str, formats), np.nan),
        **winners,
        "skipped": "",
    }


def measure(tensor: Tensor, formats: Sequence[Format]) -> dict[str, Any]:
    """A row of the table: shape of the distribution, SQNR in dB under the name of each format, and the winners.

    A tensor that cannot be measured has the reason in ``skipped`` and NaN for numbers. InputError if its file turns out
    to be damaged.
    """
    row = columns_of(formats) | {
        "name": tensor.name,
        "shape": "x".join(map(str, tensor.shape)),
        "dtype": tensor.dtype,
        "elements": prod(tensor.shape),
    }
    if tensor.reason:
        return row | {"skipped": tensor.reason}
    total = power = reach = 0.0
    not_numbers = infinite = 0
    extreme = np.zeros((1, 1))
    for x in tensor.blocks():
        finite = np.isfinite(x)
        if not finite.all():
            not_numbers += int(np.isnan(x).sum())
            infinite += int(np.isinf(x).sum())
            continue
        total += float(x.sum(dtype=np.float64))
        power += _power(x)
        largest = np.abs(x).max(-1)
        if largest.max() > reach:
            reach, extreme = float(largest.max()), x[[largest.argmax()]].copy()
    if not_numbers or infinite:
        return row | {"skipped": f"it has {not_numbers} NaN and {infinite} infinite elements"}
    if not reach:
        return row | {"skipped": "all its elements are zero"}
    if not 0 < power < np.inf:
        return row | {"skipped": f"the square of its largest element, {reach:.3g}, is beyond float64"}
    count = row["elements"]
    mean, std = total / count, np.sqrt(max(power / count - (total / count) ** 2, 0))
    counts, fourth, crests, blocks = np.zeros(BINS, np.int64), 0.0, 0.0, 0
    noise = np.zeros(len(formats))
    for x in tensor.blocks():
        if std:
            z = ((x - mean) / std).astype(np.float32)
            counts += magnitudes(z)
            fourth += float(np.square(np.square(z, dtype=np.float64)).sum())
        crest = _crest_factors(x)
        crests, blocks = crests + float(crest.sum()), blocks + crest.size
        noise += [_power(_quantized(format, x, extreme) - x) for format in formats]
    with np.errstate(divide="ignore"):
        db = dict(zip(map(str, formats), map(float, 10 * (np.log10(power) - np.log10(noise))), strict=True))
    row |= {"std": float(std), "crest_factor": reach / np.sqrt(power / count), **db, **_winners(db, formats)}
    row |= {"block_crest_factor": crests / blocks}
    if std:
        shape = nearest(counts)
        row |= {"kurtosis": fourth / count, "distribution": str(shape).partition("(")[0]}
        row |= {"nu": shape.nu if isinstance(shape, StudentT) else np.nan}
    return row


def _quantized(format: Format, x: NDArray[Any], extreme: NDArray[Any]) -> NDArray[Any]:
    """``x`` in the format; a scale per tensor is that of the ``extreme`` row, which has the largest element."""
    if isinstance(format, Scaled) and format.outer == "tensor":
        return format.quantize(np.concatenate([x, extreme]))[:-1]
    return format.quantize(x)


def _crest_factors(x: NDArray[Any]) -> NDArray[np.float64]:
    """max|x| / rms of each block of 32, or of a row if it is shorter; blocks of zeros and ragged ends left out."""
    size = min(CREST_BLOCK, x.shape[-1])
    blocks = np.abs(x[:, : x.shape[-1] // size * size].reshape(-1, size)).astype(np.float64)
    blocks = blocks[blocks.any(-1)]
    return np.asarray(blocks.max(-1, initial=0) / np.sqrt(np.mean(blocks**2, -1)))


def _power(x: NDArray[Any]) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.square(x, dtype=np.float64).sum())


def _contested(formats: Sequence[Format]) -> list[int]:
    """Widths of elements that several of the formats have."""
    widths = [format.element_bits for format in formats]
    return sorted({bits for bits in widths if widths.count(bits) > 1})


def _winners(db: dict[str, float], formats: Sequence[Format]) -> dict[str, str]:
    """The format of highest SQNR among those of each contested width; "" where several have it."""
    winners = {}
    for bits in _contested(formats):
        names = [str(format) for format in formats if format.element_bits == bits]
        best = [name for name in names if db[name] == max(db[name] for name in names)]
        winners[f"winner_{bits}b"] = best[0] if len(best) == 1 else ""
    return winners
