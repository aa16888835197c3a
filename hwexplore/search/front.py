"""The result of an exploration: the non-dominated designs, with everything needed to rebuild each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS, PARAMETERS, REASONS, Evaluator, Fidelity, Model, totals
from hwexplore.errors import InputError
from hwexplore.quality import policy_error
from hwexplore.quality.predicted_loss import ProfiledWorkload
from hwexplore.quality.profile import Profile
from hwexplore.search.constraints import Constraint
from hwexplore.search.heuristic import Heuristic
from hwexplore.search.pareto import to_minimise
from hwexplore.search.space import Space
from hwexplore.technology import Interval, Technology
from hwexplore.workloads import Workload

if TYPE_CHECKING:
    from hwexplore.search.certificate import Certificate

__all__ = ["DesignEvaluator", "Front", "Problem", "short_label"]

SAMPLE = 100_000
"""Most designs, spread over the space, that are looked at to explain an empty front."""

FEW_OVERRIDES = 2
"""Of a policy, up to which its text is shown in full."""
MOST_OTHERS = 8
"""Other values of an inert parameter, evenly spread over its list, that are compared with the one on the front."""


@dataclass(frozen=True)
class Problem:
    """What is explored: a space of hardware and policies, a workload, a technology, at one fidelity.

    ``operands`` is the distribution of the numbers that the PEs multiply, gaussian or uniform. The error is the loss
    increase that the profile ``quality`` predicts, without one the noise of the theory (see `policy_error`).
    """

    space: Space
    workload: Workload
    technology: Technology
    fidelity: Fidelity = "tile"
    operands: str = "gaussian"
    quality: Profile | None = None

    @cached_property
    def model(self) -> Model:
        """The accelerator model of the problem."""
        return Model(self.workload, self.technology, self.space.choices, self.operands)

    @cached_property
    def error(self) -> NDArray[np.float64]:
        """Error of each [policy, pe]."""
        choices, workload = self.space.choices.values, self.workload
        profiled = None if self.quality is None else ProfiledWorkload(self.quality, workload)
        error = partial(policy_error, workload) if profiled is None else profiled.predicted
        return np.array([[error(policy, pe) for pe in choices["pe"]] for policy in choices["policy"]])

    @cached_property
    def evaluator(self) -> DesignEvaluator:
        """Metrics of designs by index."""
        return DesignEvaluator(Evaluator(self.model, self.fidelity), self.error)

    def without_tables(self) -> Problem:
        """The same with its errors, which take long to compute, and no table or draw that is large."""
        fresh = replace(self, technology=replace(self.technology))
        fresh.__dict__["error"] = self.error
        return fresh

    def holds(self, ids: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which of the designs ``ids`` with these metrics are feasible and within the constraints on metrics."""
        limits = [constraint for constraint in self.space.constraints if not constraint.over_parameters]
        named = sorted({name for limit in limits for name in limit.names} & set(PARAMETERS))
        known = {**columns, **self.space.columns(self.space.indices(ids), named)} if named else columns
        return np.asarray(np.logical_and.reduce([columns["reason"] == 0, *(limit.holds(known) for limit in limits)]))

    def evaluate(self, ids: NDArray[np.int64]) -> pd.DataFrame:
        """Parameters and metrics of the designs numbered ``ids``; infeasible ones say why."""
        columns = self.evaluator(self.space.indices(ids))
        reasons = np.array(REASONS, dtype=object)[columns.pop("reason")]
        return pd.DataFrame({"id": ids, **self.space.values(ids), **columns, "reason": reasons})


@dataclass(frozen=True)
class DesignEvaluator:
    """Metric columns [design] of indices that broadcast to the designs; ``error`` [policy, pe] included."""

    evaluator: Evaluator
    error: NDArray[np.float64]

    def __call__(self, index: Mapping[str, NDArray[np.intp]]) -> dict[str, NDArray[Any]]:
        columns = {**self.evaluator(index), "error": self.error[index["policy"], index["pe"]]}
        shape = np.broadcast_shapes(*(column.shape for column in columns.values()))
        return {name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()}


@dataclass(frozen=True)
class Front:
    """The non-dominated designs of ``problem``; ``ids`` number them in its space, best first objective first.

    ``evaluated`` of the space's designs were evaluated, ``feasible`` of them feasible and within the constraints; a
    ``certificate`` proves that none of the others belongs here. A ``heuristic`` search may have missed some.
    """

    problem: Problem
    objectives: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    ids: NDArray[np.int64]
    evaluated: int
    feasible: int
    seconds: float = field(compare=False)
    certificate: Certificate | None = field(default=None, compare=False)
    heuristic: Heuristic | None = None

    @property
    def complete(self) -> bool:
        """Whether all designs that the constraints over parameters leave were evaluated or are proved to be off it."""
        return self.certificate is not None or self.evaluated == self.problem.space.permitted

    @property
    def interrupted(self) -> bool:
        """Whether the search was stopped before it came to its end."""
        return not self.complete and (self.heuristic is None or self.heuristic.ended == "interrupted")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return self.problem.evaluate(self.ids).drop(columns="reason")

    def to_frame(self) -> pd.DataFrame:
        """A row per design: id, parameters, metrics."""
        return self._frame.copy()

    def representatives(self, most: int = 20) -> NDArray[np.intp]:
        """Up to ``most`` rows that span the front: the best of each objective, then the farthest from those taken.

        Distances are between ranks, so that no objective's unit or skew decides.
        """
        if len(self) <= most:
            return np.arange(len(self))
        columns = {name: self._frame[name].to_numpy() for name in self.objectives}
        ranks = pd.DataFrame(to_minimise(columns, self.objectives)).rank(method="dense", pct=True).to_numpy()
        taken = list(dict.fromkeys(ranks.argmin(axis=0).tolist()))[:most]
        distance = np.min([np.abs(ranks - ranks[row]).sum(axis=1) for row in taken], axis=0)
        while len(taken) < most:
            taken.append(int(distance.argmax()))
            distance = np.minimum(distance, np.abs(ranks - ranks[taken[-1]]).sum(axis=1))
        return np.sort(taken)

    def intervals(self, rows: NDArray[np.intp]) -> dict[str, Interval]:
        """Latency, energy and area of some rows with their intervals, from joint draws of the coefficients."""
        return joint_intervals(self.problem, self.ids[rows])

    def inert(self) -> dict[str, str]:
        """The parameters that take a single value on the front, though the space has more, each with the reason why."""
        index = self.problem.space.indices(self.ids)
        single = [name for name, size in zip(PARAMETERS, self.problem.space.shape, strict=True) if size > 1]
        return {name: self._why(name, index) for name in single if len(self) and np.ptp(index[name]) == 0}

    def _why(self, name: str, index: dict[str, NDArray[np.intp]]) -> str:
        space = self.problem.space
        labels = space.labels(name)
        chosen = int(index[name][0])
        base = self.to_frame()[list(self.objectives)].to_numpy()
        effects = []
        others = np.delete(np.arange(len(labels)), chosen)
        shown = np.unique(np.linspace(0, len(others) - 1, MOST_OTHERS).astype(int))
        for other in others[shown].tolist():
            changed = {**index, name: np.full_like(index[name], other)}
            values = self.problem.evaluate(space.ids(changed))[list(self.objectives)].to_numpy()
            with np.errstate(invalid="ignore"):
                ratio = np.median(values / base, axis=0)
            factors = ", ".join(
                f"{objective} x {r:.3g}" if np.isfinite(r) else f"{objective} infeasible"
                for objective, r in zip(self.objectives, ratio, strict=True)
            )
            effects.append(f"{short_label(labels[other])}: {factors}")
        more = f"; and {len(others) - len(shown)} more" if len(others) > len(shown) else ""
        return f"always {short_label(labels[chosen])}; instead, in the median, {'; '.join(effects)}{more}"


def short_label(label: Any) -> str:
    """A parameter's value as text; of a policy with many overrides only their number."""
    base, *overrides = str(label).split(";")
    return str(label) if len(overrides) <= FEW_OVERRIDES else f"{base}; {len(overrides)} overrides"


def joint_intervals(problem: Problem, ids: NDArray[np.int64]) -> dict[str, Interval]:
    """Latency, energy and area [design] with the intervals of joint draws: one draw is shared by all designs."""
    nominal, index = problem.model.of_designs(problem.space.indices(ids))

    def quantities(technology: Technology) -> NDArray[np.float64]:
        model = nominal.with_technology(technology)
        return np.stack(totals(model, model.breakdown(index))[:3])

    both = problem.technology.interval(quantities)
    low, mid, high = (np.asarray(point) for point in (both.low, both.mid, both.high))
    names = "latency_s", "energy_j", "area_mm2"
    return {name: Interval(low[i], mid[i], high[i]) for i, name in enumerate(names)}


def check_nonempty(front: Front) -> Front:
    """``front`` itself, or InputError saying what kept every design off it."""
    if len(front):
        return front
    problem = front.problem
    limits = " and ".join(map(str, front.constraints))
    if not problem.space.permitted:
        raise InputError(f"no design of the space meets {limits}")
    sample = problem.evaluate(problem.space.sample(min(SAMPLE, problem.space.permitted)))
    possible = sample[sample["reason"] == ""]
    if possible.empty:
        reason = sample["reason"].value_counts().index[0]
        raise InputError(f"no design of the space is feasible{limits and f' and meets {limits}'}; most often {reason}")
    names = dict.fromkeys(name for constraint in front.constraints for name in constraint.names if name in METRICS)
    ranges = ", ".join(f"{name} ranges from {possible[name].min():.4g} to {possible[name].max():.4g}" for name in names)
    raise InputError(f"no design meets {limits}: {ranges}")
