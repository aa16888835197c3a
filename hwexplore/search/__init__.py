"""Search of design spaces: spaces, constraints, exhaustive search, Pareto fronts."""

from hwexplore.search.backends import Backend, backend
from hwexplore.search.bayesian import optimise
from hwexplore.search.certificate import Certificate
from hwexplore.search.constraints import Bound, Constraint
from hwexplore.search.evolutionary import evolve
from hwexplore.search.exact import branch_and_bound
from hwexplore.search.exhaustive import OBJECTIVES, explore
from hwexplore.search.front import Front, Problem, joint_intervals
from hwexplore.search.heuristic import Heuristic
from hwexplore.search.hypervolume import hypervolume_ratio
from hwexplore.search.likely_front import LEVEL, LikelyFront, check_draws, likely_front
from hwexplore.search.mixed_policies import MixedSpace, mixed_space
from hwexplore.search.pareto import MAXIMISED, FrontBuilder
from hwexplore.search.questions import GROUPS, FrontDiff, Run, diff, flips, iso_error, knee, query, winner
from hwexplore.search.schema import space_schema
from hwexplore.search.space import Space
from hwexplore.search.store import DesignFolder, read_metadata

__all__ = [
    "GROUPS",
    "LEVEL",
    "MAXIMISED",
    "OBJECTIVES",
    "Backend",
    "Bound",
    "Certificate",
    "Constraint",
    "DesignFolder",
    "Front",
    "FrontBuilder",
    "FrontDiff",
    "Heuristic",
    "LikelyFront",
    "MixedSpace",
    "Problem",
    "Run",
    "Space",
    "backend",
    "branch_and_bound",
    "check_draws",
    "diff",
    "evolve",
    "explore",
    "flips",
    "hypervolume_ratio",
    "iso_error",
    "joint_intervals",
    "knee",
    "likely_front",
    "mixed_space",
    "optimise",
    "query",
    "read_metadata",
    "space_schema",
    "winner",
]
