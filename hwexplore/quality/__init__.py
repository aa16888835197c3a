"""What a format does to a network: quantization noise in theory, and what a PE adds to it."""

from hwexplore.quality.comparison import compare_laws
from hwexplore.quality.crest import CREST_FACTORS, crest_factor
from hwexplore.quality.error import accumulation_noise, operand_noise, policy_error
from hwexplore.quality.gaussian import gaussian_noise, noise_to_signal, scale_overheads
from hwexplore.quality.qsnr import qsnr

__all__ = [
    "CREST_FACTORS",
    "accumulation_noise",
    "compare_laws",
    "crest_factor",
    "gaussian_noise",
    "noise_to_signal",
    "operand_noise",
    "policy_error",
    "qsnr",
    "scale_overheads",
]
