"""What a format does to a network: quantization noise in theory, and what a PE adds to it."""

from hwexplore.quality.error import accumulation_noise, operand_noise, policy_error
from hwexplore.quality.qsnr import CREST_FACTORS, crest_factor, noise_to_signal, qsnr

__all__ = [
    "CREST_FACTORS",
    "accumulation_noise",
    "crest_factor",
    "noise_to_signal",
    "operand_noise",
    "policy_error",
    "qsnr",
]
