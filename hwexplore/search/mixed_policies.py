"""Spaces whose policies give every layer its own formats, chosen by a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS, Model, totals
from hwexplore.errors import InputError
from hwexplore.quality.mixed import LossFront, loss_front
from hwexplore.quality.operator_costs import operator_costs
from hwexplore.quality.predicted_loss import ProfiledWorkload
from hwexplore.quality.profile import Profile
from hwexplore.search.space import Space
from hwexplore.technology import Technology
from hwexplore.workloads import Policy, Workload

__all__ = ["MixedSpace", "mixed_space"]

SAMPLE = 64
"""Designs with one PE among which the one of median latency is sought."""
COSTS = ("latency_s", "energy_j")
EPSILON = 0.05
"""Of the fronts that policies are picked from, see `loss_front`."""
MOST_EVALUATIONS = 4e9
"""Designs times operators that a space may ask for: some 6 minutes on two cores."""


@dataclass(frozen=True, kw_only=True)
class MixedSpace:
    """A ``space`` with policies by layer; ``left_out`` says what it lacks of the one that it was made from."""

    space: Space
    left_out: tuple[str, ...]


def mixed_space(
    space: Space, workload: Workload, technology: Technology, profile: Profile, most: int = 8
) -> MixedSpace:
    """``space`` with policies that mix its own by layer, and without those that ``profile`` cannot predict.

    For each PE, and for latency and energy on a feasible design of median latency with that PE: the front of predicted
    loss and cost over all ways to give each layer the formats of one of the space's policies, and of it the least loss
    within ``most`` evenly spaced costs, or fewer where `MOST_EVALUATIONS` would not do for the space. Layers that write
    and read the same KV cache take the same policy. Layers with weights take those that the PE takes, or any if it
    takes none. Policies with overrides stay as they are.

    Raises InputError if no policy is left, and for a space that is too large even with one mix of each front.
    """
    if most < 1:
        raise InputError(f"most = {most} mixed policies per front; expected 1 or more")
    layers = ProfiledWorkload(profile, workload)
    own = space.choices.values["policy"]
    known = [policy for policy in own if layers.lacks(policy) is None]
    _check_size(space, len(known), workload)
    uniform = [policy for policy in own if not policy.overrides]
    parts = [space.with_values(pe=[pe], policy=uniform) for pe in space.choices.values["pe"]] if uniform else []
    fronts = [front for part in parts for front in _fronts(layers, part, technology)]
    for mixes in range(most, 0, -1):
        mixed = {str(policy): policy for policy in known}
        for front in fronts:
            mixed |= {str(policy): policy for policy in _spread(layers, uniform, front, mixes)}
        if _evaluations(space, len(mixed), workload) <= MOST_EVALUATIONS:
            break
    if not mixed:
        gap = layers.lacks(own[0])
        raise InputError(f"the profile of {profile.network} predicts no policy of the space; it has no row for {gap}")
    _check_size(space, len(mixed), workload)
    left_out = [
        f"{policy}, as the profile has no row for {layers.lacks(policy)}" for policy in own if policy not in known
    ]
    if mixes < most:
        left_out.append(
            f"all but {mixes} of {most} mixes per front of a PE: with more, the search would take "
            f"over {MOST_EVALUATIONS:.0e} evaluations of an operator"
        )
    return MixedSpace(space=space.with_values(policy=list(mixed.values())), left_out=tuple(left_out))


def _evaluations(space: Space, policies: int, workload: Workload) -> float:
    return space.size / len(space.choices.values["policy"]) * policies * len(workload.operators)


def _check_size(space: Space, policies: int, workload: Workload) -> None:
    """InputError for a space that takes too long with that many policies."""
    if (evaluations := _evaluations(space, policies, workload)) > MOST_EVALUATIONS:
        counts = ", ".join(f"{name} {size}" for name, size in zip(PARAMETERS, space.shape, strict=True) if size > 1)
        raise InputError(
            f"policies by layer take {evaluations:.1e} evaluations of an operator ({policies} policies, "
            f"{len(workload.operators)} operators), {evaluations / MOST_EVALUATIONS:.1f} times what is allowed; "
            f"list fewer values in the space, which has {counts}"
        )


def _fronts(layers: ProfiledWorkload, space: Space, technology: Technology) -> list[LossFront]:
    """The fronts of predicted loss and each cost over mixes of the policies of a space with one PE."""
    policies, [pe] = space.choices.values["policy"], space.choices.values["pe"]
    loss = layers.by_layer(policies, pe)
    model = Model(layers.workload, technology, space.choices)
    design = None if _some_layer_barred(layers, loss) else _median_design(model, space)
    if design is None:
        return []
    costs, accepted = operator_costs(model, design)
    weighted = np.array([operator.kind != "attention" for operator in layers.workload.operators])
    loss = np.where(layers.sums((~accepted & weighted[:, None]).astype(float)) > 0, np.inf, loss)
    if _some_layer_barred(layers, loss):
        return []
    ties = layers.cache_ties
    return [loss_front(loss, layers.sums(costs[name]), ties=ties, epsilon=EPSILON) for name in COSTS]


def _some_layer_barred(layers: ProfiledWorkload, loss: NDArray[np.float64]) -> bool:
    """Whether a layer of ``loss`` [layer, policy], or those that share a KV cache, have no policy to choose."""
    barred = np.zeros((layers.cache_ties.max() + 1, loss.shape[1]), bool)
    np.logical_or.at(barred, layers.cache_ties, np.isinf(loss))
    return bool(barred.all(axis=1).any())


def _median_design(model: Model, space: Space) -> dict[str, NDArray[np.intp]] | None:
    """A feasible design with the first policy, of median latency in a sample; None if there is none."""
    random = np.random.default_rng(0)
    index = {name: random.integers(0, size, SAMPLE) for name, size in zip(PARAMETERS, space.shape, strict=True)}
    index = space.follow({**index, "policy": np.zeros(SAMPLE, np.intp)})
    latency, _, _, reason = totals(model, model.breakdown(index))
    feasible = np.flatnonzero(reason == 0)
    if not len(feasible):
        return None
    median = feasible[np.argsort(latency[feasible], kind="stable")[len(feasible) // 2]]
    return {name: column[[median]] for name, column in index.items()}


def _spread(layers: ProfiledWorkload, policies: Sequence[Policy], front: LossFront, most: int) -> list[Policy]:
    """The mixes of least loss within ``most`` evenly spaced costs."""
    affordable = np.linspace(front.cost[0], front.cost[-1], most)
    points = np.unique(np.searchsorted(front.cost, affordable, side="right") - 1)
    return [layers.mix(policies, front.options[point]) for point in points]
