"""Search of design spaces: spaces, constraints, exhaustive search, Pareto fronts."""

from hwexplore.search.backends import Backend, backend
from hwexplore.search.certificate import Certificate
from hwexplore.search.constraints import Bound, Constraint
from hwexplore.search.exact import branch_and_bound
from hwexplore.search.exhaustive import OBJECTIVES, explore
from hwexplore.search.front import Front, Problem, joint_intervals
from hwexplore.search.likely_front import LEVEL, LikelyFront, check_draws, likely_front
from hwexplore.search.mixed_policies import MixedSpace, mixed_space
from hwexplore.search.pareto import MAXIMISED, FrontBuilder
from hwexplore.search.schema import space_schema
from hwexplore.search.space import Space
from hwexplore.search.store import DesignFolder, read_metadata

__all__ = [
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
    "LikelyFront",
    "MixedSpace",
    "Problem",
    "Space",
    "backend",
    "branch_and_bound",
    "check_draws",
    "explore",
    "joint_intervals",
    "likely_front",
    "mixed_space",
    "read_metadata",
    "space_schema",
]
