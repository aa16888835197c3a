"""What a workload can run on: a published accelerator, or a design of our own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.designs import PARAMETERS, Choices
from hwexplore.accelerator.model import REASONS, Model
from hwexplore.accelerator.presets import Preset, roofline
from hwexplore.errors import InputError
from hwexplore.technology import Technology
from hwexplore.workloads import Policy, Workload
from hwexplore.workloads.policy import selects

__all__ = ["Device", "Modelled", "Published", "Run", "applicable"]

Array = NDArray[np.float64]


class Run(NamedTuple):
    """A workload on a device: seconds and joules [operator] of one such operator each, and watts that always flow."""

    time_s: Array
    energy_j: Array
    static_w: float


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published accelerator, on its roofline, or with ``measured`` as fast as measured products on it.

    Its thermal design power flows as long as it is held: an upper bound of its energy, NaN where it is not published.
    """

    preset: Preset
    policy: Policy
    measured: bool = False
    price_per_hour: float | None = None

    @property
    def name(self) -> str:
        """Of the accelerator."""
        return self.preset.name

    def run(self, workload: Workload) -> Run:
        """InputError for what does not fit its memory, formats that it does not compute, and a lack of measurements."""
        policy = applicable(self.policy, workload)
        needed, memory = workload.resident_bytes(policy), self.preset.memory_bytes
        if needed > memory:
            raise InputError(
                f"{self.name} has {memory / 1e9:.4g} GB of memory; "
                f"{needed / 1e9:.4g} GB of weights and KV cache of {workload.setting} do not fit"
            )
        time_s = roofline(workload, policy, self.preset, self.measured)["time_s"].to_numpy()
        power_w = self.preset.power_w
        return Run(time_s, np.zeros_like(time_s), np.nan if power_w is None else power_w)


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """One design of our model: ``choices`` with a single value for each parameter, the policy among them."""

    name: str
    technology: Technology
    choices: Choices
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        for parameter, values in self.choices.values.items():
            if len(values) > 1:
                raise InputError(f"{parameter} of {self.name} has {len(values)} values; a design has one")

    @property
    def policy(self) -> Policy:
        """Formats of weights, activations and KV cache."""
        policy: Policy = self.choices.values["policy"][0]
        return policy

    def run(self, workload: Workload) -> Run:
        """InputError where the design is infeasible."""
        choices = Choices({**self.choices.values, "policy": [applicable(self.policy, workload)]})
        index = {name: np.zeros(1, np.intp) for name in PARAMETERS}
        breakdown = Model(workload, self.technology, choices).breakdown(index)
        if reason := int(breakdown.reason[0]):
            raise InputError(f"{self.name} cannot run {workload.setting}: {REASONS[reason]}")
        shape = (1, len(workload.operators))
        picojoules = sum(np.broadcast_to(term, shape)[0] for term in breakdown.picojoules.values())
        static_w = sum(float(term[0]) for term in breakdown.static_w.values())
        return Run(np.broadcast_to(breakdown.operator_s, shape)[0], 1e-12 * np.asarray(picojoules), static_w)


Device = Published | Modelled


def applicable(policy: Policy, workload: Workload) -> Policy:
    """``policy`` without the overrides that select nothing of ``workload``, a part of a greater one."""
    overrides = {
        selector: formats
        for selector, formats in policy.overrides.items()
        if any(selects(selector, operator) for operator in workload.operators)
    }
    return Policy(policy.weights, policy.activations, policy.kv_cache, overrides)
