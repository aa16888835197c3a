"""Search of design spaces: spaces, constraints, exhaustive search, Pareto fronts."""

from hwexplore.search.certificate import Certificate
from hwexplore.search.constraints import Bound, Constraint
from hwexplore.search.exact import branch_and_bound
from hwexplore.search.exhaustive import OBJECTIVES, explore
from hwexplore.search.front import Front, Problem, joint_intervals
from hwexplore.search.mixed_policies import mixed_space
from hwexplore.search.pareto import MAXIMISED, FrontBuilder
from hwexplore.search.schema import space_schema
from hwexplore.search.space import Space
from hwexplore.search.store import DesignFolder, read_metadata

__all__ = [
    "MAXIMISED",
    "OBJECTIVES",
    "Bound",
    "Certificate",
    "Constraint",
    "DesignFolder",
    "Front",
    "FrontBuilder",
    "Problem",
    "Space",
    "branch_and_bound",
    "explore",
    "joint_intervals",
    "mixed_space",
    "read_metadata",
    "space_schema",
]
