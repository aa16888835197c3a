"""Bias correction: the mean error of the outputs taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bias_correction"]


def bias_correction(
    weight: ArrayLike, quantized: ArrayLike, samples: ArrayLike, quantized_samples: ArrayLike | None = None
) -> NDArray[np.float64]:
    """What to add to the outputs, [out], so that their mean over ``samples`` [samples, in] is that of ``weight``.

    E[y] - E[y'] = W E[x] - W' E[x'] of weights [out, in] (Nagel et al., arXiv 1906.04721, section 4.2);
    x' = x unless ``quantized_samples`` are given. Samples are [samples, out, in] if each output has its own.
    """
    mean = np.mean(np.asarray(samples, float), axis=0)
    mean_read = mean if quantized_samples is None else np.mean(np.asarray(quantized_samples, float), axis=0)
    return np.asarray(np.sum(np.asarray(weight, float) * mean - np.asarray(quantized, float) * mean_read, axis=-1))
