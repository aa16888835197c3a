"""Mixed precision: a format for each layer, with the least predicted loss that costs allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from hwexplore.errors import InputError

__all__ = ["Assignment", "LossFront", "least_loss", "loss_front"]

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""Relative excess over a limit that is put down to the rounding of sums."""
SPREAD = 1e4
"""Largest coefficient of the loss given to the solver, whose absolute tolerances are 1e-6."""
PROVED = 1e-9
"""Gap up to which an assignment counts as proved, as a share of the largest difference between a layer's options."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """An option for each layer: ``options`` [layer], their ``loss`` and ``costs`` [cost].

    No assignment within the limits has a loss below ``bound``; ``proved`` says that this is the loss itself, to one
    part in 1e9 of the most that a layer's choice changes.
    """

    options: NDArray[np.intp]
    loss: float
    costs: Array
    bound: float
    proved: bool

    @property
    def gap(self) -> float:
        """Loss by which a better assignment could still beat this one, in the loss's unit."""
        return self.loss - self.bound


@dataclass(frozen=True, kw_only=True)
class LossFront:
    """The assignments that no other beats in both cost and loss: ``options`` [point, layer], cheapest first."""

    options: NDArray[np.intp]
    loss: Array
    cost: Array


def least_loss(
    loss: ArrayLike,
    costs: ArrayLike,
    limits: ArrayLike,
    ties: ArrayLike | None = None,
    time_limit_s: float | None = None,
) -> Assignment:
    """The option of each layer that minimises the sum of ``loss`` [layer, option] with every cost within its limit.

    ``costs`` [cost, layer, option] add up over layers and must not exceed ``limits`` [cost]; an infinite loss or cost
    bars an option. Layers with equal labels in ``ties`` [layer] take the same option. Solved as a 0-1 programme, as in
    HAWQ-V3 (arXiv 2011.10680), to proved optimality unless ``time_limit_s`` ends a run of the solver before. It runs
    again, on what can still be better, where losses differ by orders of magnitude.

    Raises InputError for limits that nothing meets, and where the time ends before any assignment is found.
    """
    loss, costs, group = _checked(loss, costs, ties)
    limits = np.asarray(limits, float)
    if limits.shape != costs.shape[:1] or not (limits > -np.inf).all():
        raise InputError(f"limits {limits.tolist()} must be one number for each of the {len(costs)} costs")
    grouped_loss, grouped_costs = _grouped(loss, costs, group)
    least = np.where(np.isinf(grouped_loss), np.inf, grouped_costs).min(axis=-1).sum(axis=-1)
    for number, (limit, minimum) in enumerate(zip(limits, least, strict=True)):
        if minimum > _slack(limit):
            raise InputError(f"limit {number} = {limit:g} cannot be met: the least that the layers cost is {minimum:g}")
    programme = _Programme(grouped_loss, grouped_costs, limits)
    while True:
        scale = programme.range
        chosen, bound = programme.solve(time_limit_s)
        options = chosen[group]
        total = _total(costs, options)
        if (total > _slack(limits)).any():
            programme.bar(chosen)
            continue
        value = float(_total(loss, options))
        proved = value - bound <= PROVED * scale
        if not (proved and programme.narrow(chosen)):
            return Assignment(options=options, loss=value, costs=total, bound=min(bound, value), proved=proved)


def loss_front(loss: ArrayLike, cost: ArrayLike, ties: ArrayLike | None = None, epsilon: float = 0) -> LossFront:
    """Every best trade-off of the summed ``loss`` and ``cost`` [layer, option], by dynamic programming.

    Layers are added one by one, and assignments that others dominate are dropped. Infinite losses and costs, and
    ``ties``, are as in :func:`least_loss`.

    The front is exact at ``epsilon`` 0, and may then be long. Otherwise, for every assignment there is one on the front
    that costs no more and whose loss, counted from the least that is possible, is at most 1 + ``epsilon`` times its
    own (each of L merges keeps the cheapest assignment per factor (1 + epsilon)^(1/L) of that loss).
    """
    if not 0 <= epsilon < np.inf:
        raise InputError(f"epsilon = {epsilon} must be a number from 0 on")
    loss, costs, group = _checked(loss, np.asarray(cost, float)[None], ties)
    grouped_loss, [grouped_cost] = _grouped(loss, costs, group)
    excess = grouped_loss - grouped_loss.min(axis=1, keepdims=True)
    step = np.log1p(epsilon) / len(excess)
    reached = np.zeros(1), np.zeros(1)
    trail: list[tuple[NDArray[np.int32], NDArray[np.int16]]] = []
    for layer_cost, layer_excess in zip(grouped_cost, excess, strict=True):
        allowed = np.flatnonzero(np.isfinite(layer_excess))
        sums_cost = (layer_cost[allowed, None] + reached[0]).ravel()
        sums_loss = (layer_excess[allowed, None] + reached[1]).ravel()
        kept = _nondominated(sums_cost, sums_loss)
        if epsilon:
            kept = kept[_cheapest_per_step(sums_loss[kept], step)]
        option, parent = np.divmod(kept, len(reached[0]))
        trail.append((parent.astype(np.int32), allowed[option].astype(np.int16)))
        reached = sums_cost[kept], sums_loss[kept]
    at: NDArray[np.integer] = np.arange(len(reached[0]))
    chosen = np.empty((len(at), len(trail)), np.intp)
    for layer, (parents, layer_options) in reversed(list(enumerate(trail))):
        chosen[:, layer] = layer_options[at]
        at = parents[at]
    options = chosen[:, group]
    total_loss, total_cost = _total(loss, options), _total(costs[0], options)
    kept = _nondominated(total_cost, total_loss)
    return LossFront(options=options[kept], loss=total_loss[kept], cost=total_cost[kept])


class _Programme:
    """The 0-1 programme over groups of tied layers: loss [group, option], costs [cost, group, option], limits."""

    def __init__(self, loss: Array, costs: Array, limits: Array) -> None:
        lowest = loss.min(axis=1, keepdims=True)
        self.loss, self.offset = loss - lowest, float(lowest.sum())
        self.bounded = [(cost, limit) for cost, limit in zip(costs, limits, strict=True) if np.isfinite(limit)]
        self.barred: list[NDArray[np.intp]] = []

    @property
    def range(self) -> float:
        """The most that a group's choice among the options left can add to the loss."""
        return float(self.loss[np.isfinite(self.loss)].max()) or 1.0

    def narrow(self, chosen: NDArray[np.intp]) -> bool:
        """Drop the options that alone add more than ``chosen`` [group] in all; whether the scale changes much."""
        before = self.range
        self.loss = np.where(self.loss > _total(self.loss, chosen), np.inf, self.loss)
        return self.range < before / 100

    def bar(self, chosen: NDArray[np.intp]) -> None:
        """Exclude one assignment [group], which the solver's tolerance let over a limit."""
        self.barred.append(chosen)

    def solve(self, time_limit_s: float | None) -> tuple[NDArray[np.intp], float]:
        """The option of each group, and a lower bound of the loss."""
        group, option = np.nonzero(np.isfinite(self.loss))
        variables = np.arange(len(group))
        one_each = csr_array((np.ones(len(group)), (group, variables)), (len(self.loss), len(group)))
        constraints = [LinearConstraint(one_each, 1, 1)]
        for cost, limit in self.bounded:
            scale = np.abs(cost[group, option]).max() or 1.0
            constraints.append(LinearConstraint(cost[None, group, option] / scale, -np.inf, _slack(limit) / scale))
        for chosen in self.barred:
            constraints.append(
                LinearConstraint((option == chosen[group])[None].astype(float), -np.inf, len(chosen) - 1)
            )
        result = milp(
            self.loss[group, option] * (SPREAD / self.range),
            integrality=np.ones(len(group), int),
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"mip_rel_gap": 0.0, **({} if time_limit_s is None else {"time_limit": time_limit_s})},
        )
        if result.x is None:
            if result.status == 1:
                raise InputError(f"no assignment was found in {time_limit_s} s; raise time_limit_s")
            raise InputError("no assignment meets all limits together; raise one of them")
        solution = np.zeros(len(self.loss), np.intp)
        taken = result.x > 0.5
        solution[group[taken]] = option[taken]
        return solution, float(result.mip_dual_bound) * self.range / SPREAD + self.offset


def _checked(loss: ArrayLike, costs: ArrayLike, ties: ArrayLike | None) -> tuple[Array, Array, NDArray[np.intp]]:
    """Arrays of matching shapes without NaN, and the group [layer] of each layer."""
    loss, costs = np.asarray(loss, float), np.asarray(costs, float)
    if loss.ndim != 2 or not loss.size:
        raise InputError(f"loss has shape {loss.shape}; expected [layer, option] with one of each at least")
    if costs.ndim != 3 or costs.shape[1:] != loss.shape:
        raise InputError(f"costs have shape {costs.shape[1:]} per cost; expected that of loss, {loss.shape}")
    for name, values in (("loss", loss), ("cost", costs)):
        if np.isnan(values).any() or np.isneginf(values).any():
            raise InputError(f"a {name} is NaN or minus infinity; expected a number, or infinity for what is barred")
    labels = np.arange(len(loss)) if ties is None else np.asarray(ties)
    if labels.shape != loss.shape[:1]:
        raise InputError(f"ties have shape {labels.shape}; expected a label for each of the {len(loss)} layers")
    group = np.unique(labels, return_inverse=True)[1]
    grouped, _ = _grouped(loss, costs, group)
    for number in np.flatnonzero(np.isinf(grouped).all(axis=1)):
        raise InputError(f"layer {np.flatnonzero(group == number)[0]} has no option: each has an infinite loss or cost")
    return loss, costs, group


def _grouped(loss: Array, costs: Array, group: NDArray[np.intp]) -> tuple[Array, Array]:
    """Sums over the tied layers: loss [group, option], infinite for what is barred, and costs [cost, group, option]."""
    barred = ~np.isfinite(costs).all(axis=0)
    values = np.concatenate([np.where(barred, np.inf, loss)[None], costs])
    summed = np.stack([values[:, group == number].sum(axis=1) for number in range(int(group.max()) + 1)], axis=1)
    return summed[0], summed[1:]


def _total(values: Array, options: NDArray[np.intp]) -> Array:
    """Sums over layers of what ``options`` [..., layer] take of ``values`` [..., layer, option]."""
    return np.asarray(values[..., np.arange(values.shape[-2]), options].sum(axis=-1))


def _slack(limit: Array | float) -> Array:
    return np.asarray(limit + ROUNDING * np.abs(limit))


def _nondominated(cost: Array, loss: Array) -> NDArray[np.intp]:
    """Indices of the pairs that no other beats or equals, by ascending cost, hence descending loss."""
    order = np.argsort(cost, kind="stable")
    best = np.minimum.accumulate(loss[order])
    better = order[np.concatenate([[True], best[1:] < best[:-1]])]
    cheaper = np.diff(cost[better], append=np.inf) > 0
    return np.asarray(better[cheaper])


def _cheapest_per_step(loss: Array, step: float) -> NDArray[np.intp]:
    """Of losses in descending order the first in each interval of ``step`` of their logarithm."""
    with np.errstate(divide="ignore"):
        interval = np.floor(np.log(loss) / step)
    return np.flatnonzero(np.concatenate([[True], interval[1:] != interval[:-1]]))
