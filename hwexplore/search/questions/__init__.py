"""Questions about finished explorations, and about what decides their outcome."""

from hwexplore.search.questions.diff import FrontDiff, diff
from hwexplore.search.questions.iso_error import GROUPS, iso_error
from hwexplore.search.questions.knee import knee
from hwexplore.search.questions.run import Run
from hwexplore.search.questions.sql import query
from hwexplore.search.questions.winner import flips, winner

__all__ = ["GROUPS", "FrontDiff", "Run", "diff", "flips", "iso_error", "knee", "query", "winner"]
