"""What each operator costs on one design under each of several policies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import Model
from hwexplore.accelerator.infeasible import why_infeasible
from hwexplore.accelerator.model import Index
from hwexplore.errors import InputError

__all__ = ["operator_costs"]

Array = NDArray[np.float64]

HARDWARE_REASONS = (1, 2, 3)
"""Codes of the reasons that no policy mends."""


def operator_costs(model: Model, design: Index) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """Latency, energy and stored weights of each operator of one design, and whether the PE takes its formats.

    ``design`` has one index per parameter of ``model``, the policy left out. Returns arrays [operator, policy], for all
    of an operator's ``count``, by name: ``latency_s``, ``energy_j`` (the static power of its time included) and
    ``weight_bytes``, infinite where no tile fits the buffer; and whether a product runs on the array, which is true of
    all under every policy where the PE takes it under none. Operators run one after the other, so these costs of a
    policy with overrides are sums of those of its parts. Raises InputError for hardware that cannot work.
    """
    policies = np.arange(len(model.choices.values["policy"]))
    index = {**{name: np.ravel(number)[:1] for name, number in design.items()}, "policy": policies}
    breakdown = model.breakdown(index)
    if set(breakdown.reason.tolist()) & {*HARDWARE_REASONS}:
        raise InputError(f"the design is infeasible: {why_infeasible(model, {**index, 'policy': policies[:1]})}")
    shape = breakdown.traffic_bytes.shape
    latency = breakdown.operator_s
    static_w = np.broadcast_to(sum(breakdown.static_w.values()), shape[:1])
    energy = 1e-12 * sum(breakdown.picojoules.values()) + latency * static_w[:, None]
    stored = [model.workload.to_frame(policy)["weight_bytes"] for policy in model.choices.values["policy"]]
    fits = np.isfinite(breakdown.traffic_bytes)
    costs = {
        name: (np.where(fits, each, np.inf) * model.operators.count).T
        for name, each in (("latency_s", latency), ("energy_j", energy), ("weight_bytes", np.array(stored)))
    }
    on_array = np.broadcast_to(breakdown.on_array, shape).T
    return costs, on_array | ~on_array.any(axis=1, keepdims=True)
