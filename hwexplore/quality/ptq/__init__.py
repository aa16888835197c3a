"""Post-training quantization of weights [out, in], with calibration inputs [samples, in]; a verb per file."""

from hwexplore.quality.ptq.bias import bias_correction
from hwexplore.quality.ptq.clip import clipped_grid
from hwexplore.quality.ptq.dual_grained import DualGrained, dual_grain
from hwexplore.quality.ptq.equalize import equalizing_factors
from hwexplore.quality.ptq.gptq import gptq
from hwexplore.quality.ptq.grid import Grid, scaled
from hwexplore.quality.ptq.nearest import round_to_nearest
from hwexplore.quality.ptq.rotate import rotate
from hwexplore.quality.ptq.smooth import smoothing_factors

__all__ = [
    "DualGrained",
    "Grid",
    "bias_correction",
    "clipped_grid",
    "dual_grain",
    "equalizing_factors",
    "gptq",
    "rotate",
    "round_to_nearest",
    "scaled",
    "smoothing_factors",
]
