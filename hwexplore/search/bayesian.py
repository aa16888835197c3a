"""Bayesian optimisation: searches of a few hundred evaluations, guided by Gaussian processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search.evaluations import Evaluations, most_evaluations
from hwexplore.search.exhaustive import OBJECTIVES
from hwexplore.search.front import Front, Problem
from hwexplore.search.hypervolume import log_scale
from hwexplore.search.neighbours import neighbours

__all__ = ["optimise"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

FEW = 300
"""Evaluations unless told otherwise."""
START = 50
"""Designs evaluated before the first processes are fitted."""
SAMPLE = 5000
"""Designs from which these are taken by their roofline."""
BATCH = 10
"""Designs evaluated between two fits."""
DRAWN, EXPANDED = 1000, 20
"""Where candidates come from: designs drawn from the space, and designs of the front, with all their neighbours."""
AUGMENTATION = 0.05
"""Weight of the sum of the objectives beside the largest, as in the source."""
CHOICES = ("pe", "dataflow", "dram", "policy")
"""Parameters without an order."""


def optimise(
    problem: Problem,
    objectives: Sequence[str] = OBJECTIVES,
    evaluations: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Front:
    """A front of ``problem`` found with a few hundred evaluations, for when each is dear; see `evolve` for more.

    Gaussian processes learn the logarithm of each objective, or how much it exceeds the roofline's, from the designs
    evaluated so far. Designs are chosen from a sample and the neighbours of the front, as long as their roofline does
    not rule them out: each minimises a draw from the processes in an augmented Chebyshev norm with weights of its own,
    drawn at random (ParEGO, Knowles 2006, with Thompson sampling). Rooflines do not count as evaluations. The result
    depends on ``seed`` alone. On Ctrl-C the front of what was evaluated is returned. InputError if nothing that was
    evaluated is feasible and within the constraints, or scikit-learn is missing.
    """
    regression = _gaussian_process()
    most = most_evaluations(problem, FEW if evaluations is None else evaluations)
    done = Evaluations(problem, objectives, most, roofline_cost=0, progress=progress)
    random = np.random.default_rng(seed)
    try:
        ended = _optimise(done, regression, random, seed)
    except KeyboardInterrupt:
        ended = "interrupted"
    return done.front("bayesian", seed, ended)


def _optimise(evaluations: Evaluations, regression: Callable[[], Any], random: np.random.Generator, seed: int) -> str:
    """Evaluate until that is spent, or no candidate is left; why it ended."""
    space = evaluations.problem.space
    chosen = evaluations.start(START, SAMPLE, seed)[:START]
    inputs, targets = np.zeros((0, _inputs(evaluations, chosen).shape[1])), np.zeros((0, len(evaluations.objectives)))
    while chosen.size:
        points, keep = evaluations(chosen)
        inputs = np.concatenate([inputs, _inputs(evaluations, chosen[keep])])
        targets = np.concatenate([targets, log_scale(points[keep]) - _prior(evaluations, chosen[keep])])
        if not evaluations.left:
            return "evaluations spent"
        drawn = random.integers(space.size, size=DRAWN)
        around = neighbours(space, random.permutation(evaluations.ids)[:EXPANDED])
        candidates = evaluations.propose(np.concatenate([drawn, around]))
        number = min(BATCH, evaluations.left)
        if inputs.size and candidates.size > number:
            draws = _draws(regression, inputs, targets, _inputs(evaluations, candidates), random)
            chosen = candidates[_best(evaluations, draws + _prior(evaluations, candidates), number, random)]
        else:
            chosen = random.permutation(candidates)[:number]
    return "no candidate is left"


def _prior(evaluations: Evaluations, ids: Ids) -> Array:
    """What is known of the logarithm of the objectives before designs are evaluated [design, objective]."""
    if not evaluations.screens:
        return np.zeros((ids.size, len(evaluations.objectives)))
    return log_scale(evaluations.bounds(ids)[0])


def _inputs(evaluations: Evaluations, ids: Ids) -> Array:
    """Designs [design, input]: 0 to 1 by place in the list of values, one input per value of those without order."""
    space = evaluations.problem.space
    index = space.indices(ids)
    sizes = {name: len(space.choices.values[name]) for name in PARAMETERS}
    ordered = [index[name][:, None] / max(sizes[name] - 1, 1) for name in PARAMETERS if name not in CHOICES]
    return np.concatenate([*ordered, *(np.eye(sizes[name])[index[name]] for name in CHOICES)], axis=1)


def _draws(
    regression: Callable[[], Any], inputs: Array, targets: Array, at: Array, random: np.random.Generator
) -> Array:
    """One draw from the process of each objective at the designs ``at`` [design, objective], each design by itself."""
    draws = []
    for target in targets.T:
        if np.ptp(target) == 0:
            draws.append(np.full(len(at), target[0]))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the bounds of a kernel's parameters are reached
            mean, deviation = regression().fit(inputs, target).predict(at, return_std=True)
        draws.append(mean + deviation * random.standard_normal(len(at)))
    return np.stack(draws, axis=1)


def _best(evaluations: Evaluations, draws: Array, number: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The rows of ``draws`` that are best for each of ``number`` weights, distinct; the front so far sets the scale."""
    front = log_scale(evaluations.points) if evaluations.ids.size else draws
    low, span = front.min(axis=0), np.ptp(front, axis=0)
    scaled = (draws - low) / np.where(span > 0, span, 1)
    weighted = random.dirichlet(np.ones(scaled.shape[1]), number)[:, None] * scaled
    costs = weighted.max(axis=-1) + AUGMENTATION * weighted.sum(axis=-1)
    return np.unique(costs.argmin(axis=1))


def _gaussian_process() -> Callable[[], Any]:
    """The regression of scikit-learn."""
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    except ImportError:
        raise InputError(
            "bayesian needs the package scikit-learn; install it with: pip install 'hwexplore[bayesian]'"
        ) from None

    def regression() -> Any:
        kernel = ConstantKernel() * Matern(length_scale=1.0, nu=2.5) + WhiteKernel(1e-3)
        return GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)

    return regression
