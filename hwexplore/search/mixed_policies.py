"""Spaces whose policies give every layer its own formats, chosen by a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS, Model, totals
from hwexplore.errors import InputError
from hwexplore.quality.mixed import loss_front
from hwexplore.quality.operator_costs import operator_costs
from hwexplore.quality.predicted_loss import ProfiledWorkload
from hwexplore.quality.profile import Profile
from hwexplore.search.space import Space
from hwexplore.technology import Technology
from hwexplore.workloads import Policy, Workload

__all__ = ["mixed_space"]

SAMPLE = 64
"""Designs with one PE among which the one of median latency is sought."""
COSTS = ("latency_s", "energy_j")
EPSILON = 0.05
"""Of the fronts that policies are picked from, see `loss_front`."""


def mixed_space(space: Space, workload: Workload, technology: Technology, profile: Profile, most: int = 8) -> Space:
    """``space`` with policies that mix its own by layer, and without those that ``profile`` cannot predict.

    For each PE, for each format of the KV cache, and for latency and energy on a feasible design of median latency with
    that PE: the front of predicted loss and cost over all ways to give each layer the formats of one of the space's
    policies that the PE takes (any, if it takes none), and of it the least loss within ``most`` evenly spaced costs.
    Policies with overrides stay as they are. Raises InputError if no policy is left.
    """
    if most < 1:
        raise InputError(f"most = {most} mixed policies per front; expected 1 or more")
    layers = ProfiledWorkload(profile, workload)
    own = space.choices.values["policy"]
    mixed: dict[str, Policy] = {str(policy): policy for policy in own if layers.lacks(policy) is None}
    by_kv: dict[str, list[Policy]] = {}
    for policy in own:
        if not policy.overrides:
            by_kv.setdefault(str(policy.kv_cache), []).append(policy)
    for pe in space.choices.values["pe"]:
        for policies in by_kv.values():
            part = space.with_values(pe=[pe], policy=policies)
            mixed |= {str(policy): policy for policy in _best_mixes(layers, part, technology, most)}
    if not mixed:
        gap = layers.lacks(own[0])
        raise InputError(f"the profile of {profile.network} predicts no policy of the space; it has no row for {gap}")
    return space.with_values(policy=list(mixed.values()))


def _best_mixes(layers: ProfiledWorkload, space: Space, technology: Technology, most: int) -> list[Policy]:
    """The mixes of the policies of a space with one PE."""
    policies, [pe] = space.choices.values["policy"], space.choices.values["pe"]
    loss = layers.by_layer(policies, pe)
    model = Model(layers.workload, technology, space.choices)
    design = None if _some_layer_barred(loss) else _median_design(model, space)
    if design is None:
        return []
    costs, accepted = operator_costs(model, design)
    loss = np.where(layers.sums((~accepted).astype(float)) > 0, np.inf, loss)
    if _some_layer_barred(loss):
        return []
    mixes = []
    for name in COSTS:
        front = loss_front(loss, layers.sums(costs[name]), epsilon=EPSILON)
        affordable = np.linspace(front.cost[0], front.cost[-1], most)
        points = np.unique(np.searchsorted(front.cost, affordable, side="right") - 1)
        mixes += [_mix(layers, policies, front.options[point]) for point in points]
    return mixes


def _some_layer_barred(loss: NDArray[np.float64]) -> bool:
    """Whether a layer of ``loss`` [layer, policy] has no policy to choose."""
    return bool(np.isinf(loss).all(axis=1).any())


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


def _mix(layers: ProfiledWorkload, policies: Sequence[Policy], chosen: NDArray[np.intp]) -> Policy:
    """The policy of most layers, with the formats of their own for the others."""
    base = policies[Counter(chosen.tolist()).most_common(1)[0][0]]
    overrides = {
        layer: {"weights": policies[option].weights, "activations": policies[option].activations}
        for layer, option in zip(layers.layers, chosen, strict=True)
        if policies[option] != base
    }
    return Policy(base.weights, base.activations, base.kv_cache, overrides)
