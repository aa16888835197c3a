"""Evolutionary search: NSGA-II and NSGA-III from a warm start, then local search around the front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS
from hwexplore.errors import InputError, unknown
from hwexplore.search.evaluations import ROOFLINE_COST, Evaluations, most_evaluations
from hwexplore.search.exhaustive import OBJECTIVES
from hwexplore.search.front import Front, Problem
from hwexplore.search.hypervolume import log_scale
from hwexplore.search.neighbours import neighbours

__all__ = ["EvolutionaryMethod", "evolve"]

Ids = NDArray[np.int64]

EvolutionaryMethod = Literal["nsga2", "nsga3"]
POPULATION, LEAST, GENERATIONS = 200, 20, 50
"""Designs in the population: fewer, but no less than 20, where that many generations would not fit."""
SAMPLE = 0.5
"""Rooflines in the sample from which the population starts, per evaluation that is allowed."""
EVOLUTION = 0.3
"""Share of the evaluations after which local search takes over."""
MUTATIONS = 1.5
"""Parameters that a mutation changes on average."""
MATINGS = 10
"""Times that a generation may try to find offspring worth an evaluation."""
EXPANDED = 50
"""Designs whose neighbours are looked at together."""


def evolve(
    problem: Problem,
    objectives: Sequence[str] = OBJECTIVES,
    evaluations: int | None = None,
    method: EvolutionaryMethod = "nsga2",
    seed: int = 0,
    screen: bool = True,
    roofline_cost: float = ROOFLINE_COST,
    progress: Callable[[int, int], None] | None = None,
) -> Front:
    """A front of ``problem`` found with few evaluations; it may lack designs that the exact one has.

    The population starts from what is best in a sample by the roofline, evolves by NSGA-II (Deb et al. 2002) or
    NSGA-III (Deb and Jain 2014) for 30 % of the ``evaluations``, then all neighbours of all designs of the front are
    looked at, until these are known or the evaluations are spent (Pareto local search, Paquete et al. 2004). The
    roofline screens all designs before they are evaluated. The result depends on ``seed`` alone. For ``evaluations``
    see `most_evaluations`, for ``screen``, ``roofline_cost`` and ``progress`` `Evaluations`. On Ctrl-C the front of
    what was evaluated is returned. InputError if nothing that was evaluated is feasible and within the constraints, or
    pymoo is missing.
    """
    if method not in get_args(EvolutionaryMethod):
        raise unknown("method", method, get_args(EvolutionaryMethod))
    done = Evaluations(problem, objectives, most_evaluations(problem, evaluations), screen, roofline_cost, progress)
    random = np.random.default_rng(seed)
    try:
        _evolve(done, method, seed)
        ended = _search_locally(done, random)
    except KeyboardInterrupt:
        ended = "interrupted"
    return done.front(method, seed, ended)


def _evolve(evaluations: Evaluations, method: EvolutionaryMethod, seed: int) -> None:
    """Evolve a population until its share of the evaluations is spent, or nothing new comes."""
    size = int(np.clip(evaluations.most // GENERATIONS, LEAST, POPULATION))
    start = evaluations.start(size, int(SAMPLE * evaluations.most) + 1, seed)
    algorithm = _algorithm(evaluations, start, size, method, seed)
    while algorithm.has_next() and evaluations.left > (1 - EVOLUTION) * evaluations.most:
        algorithm.n_offsprings = min(size, evaluations.left)
        algorithm.next()


def _search_locally(evaluations: Evaluations, random: np.random.Generator) -> str:
    """Look at the neighbours of all designs of the front; why that ended."""
    expanded = np.zeros(0, np.int64)
    while evaluations.left:
        todo = np.setdiff1d(evaluations.ids, expanded)
        if not todo.size:
            return "no neighbour of the front is better"
        todo = random.permutation(todo)[:EXPANDED]
        expanded = np.union1d(expanded, todo)
        found = evaluations.propose(neighbours(evaluations.problem.space, todo))
        evaluations(random.permutation(found)[: evaluations.left])
    return "evaluations spent"


def _algorithm(evaluations: Evaluations, start: Ids, size: int, method: EvolutionaryMethod, seed: int) -> Any:
    """The algorithm of pymoo, which asks for designs by their index in each parameter."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.config import Config
        from pymoo.core.duplicate import DuplicateElimination
        from pymoo.core.mutation import Mutation
        from pymoo.core.problem import Problem as Designs
        from pymoo.core.termination import NoTermination
        from pymoo.operators.crossover.ux import UniformCrossover
        from pymoo.util.ref_dirs import get_reference_directions
    except ImportError:
        raise InputError(
            f"{method} needs the package pymoo; install it with: pip install 'hwexplore[search]'"
        ) from None
    Config.warnings["not_compiled"] = False
    shape = np.array(evaluations.problem.space.shape)

    def ids(index: Any) -> Ids:
        return np.asarray(np.ravel_multi_index(tuple(index.T.astype(np.intp)), tuple(shape)), np.int64)

    class Space(Designs):
        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            points, keep = evaluations(ids(x))
            out["F"] = np.where(keep[:, None], log_scale(points), 0)
            out["G"] = ~keep[:, None] * 1.0

    class Step(Mutation):
        """To the next value in the list of a parameter, or to any."""

        def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:  # noqa: N803
            nearby = np.clip(X + random_state.choice([-1, 1], X.shape), 0, shape - 1)
            anywhere = random_state.integers(0, shape, X.shape)
            new = np.where(random_state.random(X.shape) < 0.5, nearby, anywhere)
            return np.where(random_state.random(X.shape) < MUTATIONS / len(shape), new, X)

    class Worthless(DuplicateElimination):
        """Drops designs that are not worth an evaluation, and all but one of equals."""

        def _do(self, pop: Any, other: Any, is_duplicate: Any) -> Any:
            own = ids(pop.get("X"))
            if other is not None:
                return np.isin(own, ids(other.get("X")))
            first = np.unique(own, return_index=True)[1]
            worth = np.zeros(own.size, bool)
            worth[first] = np.isin(own[first], evaluations.propose(own))
            return ~worth

    options = {
        "pop_size": size,
        "sampling": np.stack(np.unravel_index(start, tuple(shape)), axis=1),
        "crossover": UniformCrossover(),
        "mutation": Step(),
        "eliminate_duplicates": Worthless(),
    }
    number = len(evaluations.objectives)
    if method == "nsga2":
        algorithm = NSGA2(**options)
    else:
        directions = get_reference_directions("das-dennis", number, n_partitions=_partitions(number, size))
        algorithm = NSGA3(directions, **options)
    algorithm.mating.n_max_iterations = MATINGS
    designs = Space(n_var=len(PARAMETERS), n_obj=number, n_ieq_constr=1, xl=0, xu=shape - 1, vtype=int)
    return algorithm.setup(designs, seed=seed, termination=NoTermination())


def _partitions(objectives: int, most: int) -> int:
    """Partitions of the unit simplex with at most so many reference directions."""
    return max(p for p in range(1, most) if p == 1 or comb(p + objectives - 1, p) <= most)
