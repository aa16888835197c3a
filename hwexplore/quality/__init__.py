"""What a format does to a network: noise in theory, what a PE adds, predicted loss by layer, and mixed precision."""

from hwexplore.quality.comparison import compare_distributions, compare_laws
from hwexplore.quality.crest import CREST_FACTORS, crest_factor
from hwexplore.quality.crossover import crossover_block
from hwexplore.quality.distributions import Distribution, Gaussian, Laplace, OutlierChannels, StudentT
from hwexplore.quality.error import accumulation_noise, operand_noise, policy_error
from hwexplore.quality.expected import expected_noise
from hwexplore.quality.gaussian import gaussian_noise, noise_to_signal, scale_overheads
from hwexplore.quality.mixed import Assignment, LossFront, least_loss, loss_front
from hwexplore.quality.operator_costs import operator_costs
from hwexplore.quality.predicted_loss import ProfiledWorkload
from hwexplore.quality.profile import Profile
from hwexplore.quality.qsnr import qsnr
from hwexplore.quality.rank_correlation import predicted_increases, random_assignments, rank_correlation
from hwexplore.quality.training import best_split, critical_tokens, training_loss

__all__ = [
    "CREST_FACTORS",
    "Assignment",
    "Distribution",
    "Gaussian",
    "Laplace",
    "LossFront",
    "OutlierChannels",
    "Profile",
    "ProfiledWorkload",
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
    "least_loss",
    "loss_front",
    "noise_to_signal",
    "operand_noise",
    "operator_costs",
    "policy_error",
    "predicted_increases",
    "qsnr",
    "random_assignments",
    "rank_correlation",
    "scale_overheads",
    "training_loss",
]
