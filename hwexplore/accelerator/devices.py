"""What a workload can run on: a published accelerator, or a design of our own model."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

from hwexplore.accelerator.designs import PARAMETERS, Choices
from hwexplore.accelerator.infeasible import why_infeasible
from hwexplore.accelerator.model import Model
from hwexplore.accelerator.presets import Preset, roofline, totals
from hwexplore.errors import InputError
from hwexplore.technology import Technology
from hwexplore.workloads import Policy, Workload
from hwexplore.workloads.policy import selects

__all__ = ["Device", "Modelled", "Published", "Run", "applicable"]


class Run(NamedTuple):
    """A whole workload on a device: its time, its energy without static power, and that power."""

    time_s: float
    energy_j: float
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
        latency_s = totals(roofline(workload, policy, self.preset, self.measured), workload.tokens)["latency_s"]
        return Run(latency_s, 0, nan if self.preset.power_w is None else self.preset.power_w)


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
        model = Model(workload, self.technology, choices)
        breakdown = model.breakdown(index)
        if breakdown.reason[0]:
            raise InputError(f"{self.name} cannot run {workload.setting}: {why_infeasible(model, index)}")
        count = workload.columns()["count"]
        picojoules = sum(float((term @ count).item()) for term in breakdown.picojoules.values())
        static_w = sum(float(term[0]) for term in breakdown.static_w.values())
        return Run(float((breakdown.operator_s @ count).item()), 1e-12 * picojoules, static_w)


Device = Published | Modelled


def applicable(policy: Policy, workload: Workload) -> Policy:
    """``policy`` without the overrides that select nothing of ``workload``, a part of a greater one."""
    overrides = {
        selector: formats
        for selector, formats in policy.overrides.items()
        if any(selects(selector, operator) for operator in workload.operators)
    }
    return Policy(policy.weights, policy.activations, policy.kv_cache, overrides)
