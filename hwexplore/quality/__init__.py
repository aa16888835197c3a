"""What a format does to a network: quantization noise in theory, and what a PE adds to it."""

from hwexplore.quality.comparison import compare_distributions, compare_laws
from hwexplore.quality.crest import CREST_FACTORS, crest_factor
from hwexplore.quality.crossover import crossover_block
from hwexplore.quality.distributions import Distribution, Gaussian, Laplace, OutlierChannels, StudentT
from hwexplore.quality.error import accumulation_noise, operand_noise, policy_error
from hwexplore.quality.expected import expected_noise
from hwexplore.quality.gaussian import gaussian_noise, noise_to_signal, scale_overheads
from hwexplore.quality.qsnr import qsnr
from hwexplore.quality.training import best_split, critical_tokens, training_loss

__all__ = [
    "CREST_FACTORS",
    "Distribution",
    "Gaussian",
    "Laplace",
    "OutlierChannels",
    "StudentT",
    "accumulation_noise",
    "best_split",
    "compare_distributions",
    "compare_laws",
    "crest_factor",
    "critical_tokens",
    "crossover_block",
    "expected_noise",
    "gaussian_noise",
    "noise_to_signal",
    "operand_noise",
    "policy_error",
    "qsnr",
    "scale_overheads",
    "training_loss",
]
