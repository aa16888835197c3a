"""Search of design spaces: spaces, constraints, exhaustive search, Pareto fronts."""

from hwexplore.search.constraints import Bound, Constraint
from hwexplore.search.exhaustive import OBJECTIVES, explore
from hwexplore.search.front import Front, Problem, joint_intervals
from hwexplore.search.likely_front import LEVEL, LikelyFront, likely_front
from hwexplore.search.mixed_policies import mixed_space
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
    "Bound",
    "Constraint",
    "DesignFolder",
    "Front",
    "FrontBuilder",
    "FrontDiff",
    "LikelyFront",
    "Problem",
    "Run",
    "Space",
    "diff",
    "explore",
    "flips",
    "iso_error",
    "joint_intervals",
    "knee",
    "likely_front",
    "mixed_space",
    "query",
    "read_metadata",
    "space_schema",
    "winner",
]
