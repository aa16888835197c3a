"""The front under uncertainty: which designs may be on it, given what is not known of the coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import joblib
import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.accelerator import Evaluator
from hwexplore.errors import InputError
from hwexplore.search.dominance import excess_within
from hwexplore.search.exhaustive import feasible_designs
from hwexplore.search.front import Front
from hwexplore.search.pareto import to_minimise
from hwexplore.search.store import Chunk
from hwexplore.technology import DRAWS, Technology

__all__ = ["LEVEL", "LikelyFront", "check_draws", "likely_front"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.95
"""Confidence with which the set holds the whole true front."""
EDGE = 0.9
"""Share of the margin, as a logarithm, beyond which a design that came up is near its end."""
EXACT = ("error",)
"""Metrics that do not depend on the technology's coefficients."""


@dataclass(frozen=True)
class LikelyFront:
    """The designs that hold the true front with confidence `LEVEL`, likeliest first.

    ``probability`` [design] is the share of ``draws`` in which the design ``ids`` [design] is on the front. Every
    design is in it that is on the front of some draw, or so near to one that a further draw may bring it there: within
    the factor ``tolerance`` in all objectives. ``looked_at`` designs were drawn: those that at the nominal coefficients
    are within the factor ``margin`` of the ``front``; ``reach`` is the largest such factor on the front of any draw.
    """

    front: Front
    ids: NDArray[np.int64]
    probability: Array
    tolerance: float
    margin: float
    reach: float
    looked_at: int
    draws: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def core(self) -> int:
        """How many designs, the likeliest, hold the share `LEVEL` of a true front's designs, on average over draws.

        A further draw has as many new designs as a draw has that no other has (Good and Turing's estimate).
        """
        unseen = np.count_nonzero(np.isclose(self.probability * self.draws, 1)) / self.draws
        return int(np.searchsorted(np.cumsum(self.probability), LEVEL * (self.probability.sum() + unseen))) + 1

    @property
    def is_cut(self) -> bool:
        """Whether designs beyond the margin may be on the true front, too: some came up near its end."""
        return math.log(self.reach) > EDGE * math.log(self.margin)

    def to_frame(self) -> pd.DataFrame:
        """A row per design: id, probability, whether it is on the nominal front, parameters, metrics."""
        frame = self.front.problem.evaluate(self.ids).drop(columns="reason")
        frame.insert(1, "probability", self.probability)
        frame.insert(2, "nominal", np.isin(self.ids, self.front.ids))
        return frame


def likely_front(
    front: Front,
    draws: int = 40,
    margin: float = 1.2,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> LikelyFront:
    """The designs that may be on the true front of what ``front`` is the nominal front of.

    The technology's coefficients are drawn jointly, ``draws`` times; a draw is shared by all designs, and in each the
    exact front of the designs within ``margin`` is taken. The tolerance is conformal: for each draw, what the fronts of
    the others would have needed to hold its own; of these the `LEVEL` quantile for one more draw. Constraints and the
    clocks that PEs reach are those at the nominal coefficients.

    ``progress`` is called with the number of draws done. InputError for an incomplete front, one whose objectives do
    not depend on coefficients, fewer draws than the level takes, and more than the technology has.
    """
    check_draws(draws, margin)
    exact = np.isin(front.objectives, EXACT)
    if exact.all():
        raise InputError(f"the front of {', '.join(front.objectives)} does not depend on the technology's coefficients")
    if not front.complete:
        raise InputError("the search was broken off; what is uncertain is asked of a whole front")
    ids, errors, behind = _candidates(front, exact, math.log(margin), jobs)
    problem = front.problem
    nominal, index = problem.model.of_designs(problem.space.indices(ids))

    def near_front(technology: Technology) -> tuple[Mask, Array]:
        """Which designs are on the front of a draw, and how far the others are from it, infinite beyond the margin."""
        columns = Evaluator(nominal.with_technology(technology), problem.fidelity)(index)
        costs = _costs({**columns, "error": errors}, front.objectives)
        feasible = columns["reason"] == 0
        on_front = feasible.copy()
        on_front[feasible] = moocore.is_nondominated(costs[feasible])
        distance = np.where(on_front, 0, np.inf)
        others = feasible & ~on_front
        distance[others] = excess_within(costs[others], costs[on_front], exact, math.log(margin))
        return on_front, distance

    count = np.zeros(len(ids))
    nearest = np.full((2, len(ids)), np.inf)
    members: list[NDArray[np.intp]] = []
    with joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator") as workers:
        for on_front, distance in workers(joblib.delayed(near_front)(one) for one in problem.technology.draws[:draws]):
            count += on_front
            nearest = np.sort(np.vstack([nearest, distance]), axis=0)[:2]
            members.append(np.flatnonzero(on_front))
            if progress is not None:
                progress(len(members))
    tolerance = np.sort([nearest[1, own].max(initial=0) for own in members])[_rank(draws) - 1]
    held = np.flatnonzero(nearest[0] <= tolerance)
    held = held[np.lexsort((ids[held], -count[held]))]
    return LikelyFront(
        front=front,
        ids=ids[held],
        probability=count[held] / draws,
        tolerance=math.exp(tolerance),
        margin=margin,
        reach=math.exp(behind[count > 0].max()),
        looked_at=len(ids),
        draws=draws,
    )


def check_draws(draws: int, margin: float) -> None:
    """InputError for numbers that `likely_front` refuses."""
    if not _rank(draws) <= draws <= DRAWS:
        fewest = next(count for count in range(1, DRAWS) if _rank(count) <= count)
        raise InputError(f"draws is {draws}; a confidence of {LEVEL:.0%} takes {fewest} to {DRAWS}")
    if not 1 < margin < math.inf:
        raise InputError(f"margin is {margin}; expected a factor above 1")


def _rank(draws: int) -> int:
    """Of the tolerances that the draws take, in ascending order, the one that one more draw takes at most."""
    return math.ceil(LEVEL * (draws + 1))


def _candidates(front: Front, exact: Mask, step: float, jobs: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Number, error and excess of the designs within ``step`` of the front."""
    frame = front.to_frame()
    nominal = _costs({name: frame[name].to_numpy() for name in front.objectives}, front.objectives)
    keep = partial(_near, objectives=front.objectives, nominal=nominal, exact=exact, step=step)
    parts = [
        (chunk.ids, chunk.columns["error"], chunk.columns["excess"])
        for chunk in feasible_designs(front.problem, keep, jobs)
    ]
    ids, errors, behind = (np.concatenate(part) for part in zip(*parts, strict=True))
    return ids, errors, behind


def _near(chunk: Chunk, objectives: tuple[str, ...], nominal: Array, exact: Mask, step: float) -> Chunk:
    costs = _costs(chunk.columns, objectives)
    behind = excess_within(costs, nominal, exact, step)
    return chunk._replace(columns={"error": chunk.columns["error"], "excess": behind}).of(behind <= step)


def _costs(columns: Mapping[str, NDArray[Any]], objectives: tuple[str, ...]) -> Array:
    """Costs [design, objective] of which less is better, as logarithms but for those that are `EXACT`."""
    logarithms = {name: columns[name] if name in EXACT else np.log(columns[name]) for name in objectives}
    return to_minimise(logarithms, objectives)
